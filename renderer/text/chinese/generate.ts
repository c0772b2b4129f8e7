// Chinese words of the generate view.
import type { generate as english } from "../english/generate.ts";

export const generate: typeof english = {
  title: "生成",
};
