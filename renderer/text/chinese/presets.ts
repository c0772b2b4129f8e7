// Chinese words of the presets.
import type { presets as english } from "../english/presets.ts";

export const presets: typeof english = {
  title: "预设",
};
