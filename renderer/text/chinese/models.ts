// Chinese words of the models view.
import type { models as english } from "../english/models.ts";

export const models: typeof english = {
  title: "模型",
};
