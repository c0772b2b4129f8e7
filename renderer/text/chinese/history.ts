// Chinese words of the history view.
import type { history as english } from "../english/history.ts";

export const history: typeof english = {
  title: "历史",
};
