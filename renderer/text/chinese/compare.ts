// Chinese words of the compare view.
import type { compare as english } from "../english/compare.ts";

export const compare: typeof english = {
  title: "对比",
};
