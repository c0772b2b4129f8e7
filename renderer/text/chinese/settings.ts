// Chinese words of the settings view.
import type { settings as english } from "../english/settings.ts";

export const settings: typeof english = {
  title: "设置",
};
