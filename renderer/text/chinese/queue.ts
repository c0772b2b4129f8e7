// Chinese words of the queue view.
import type { queue as english } from "../english/queue.ts";

export const queue: typeof english = {
  title: "队列",
};
