// All Chinese words of the window, one file per view in chinese/.
import { app } from "./chinese/app.ts";
import { parts } from "./chinese/parts.ts";
import { fields } from "./chinese/fields.ts";
import { shortcuts } from "./chinese/shortcuts.ts";
import { generate } from "./chinese/generate.ts";
import { queue } from "./chinese/queue.ts";
import { history } from "./chinese/history.ts";
import { compare } from "./chinese/compare.ts";
import { models } from "./chinese/models.ts";
import { settings } from "./chinese/settings.ts";
import { presets } from "./chinese/presets.ts";
import type { Dictionary } from "./english.ts";

export const chinese: Dictionary = {
  app,
  parts,
  fields,
  shortcuts,
  generate,
  queue,
  history,
  compare,
  models,
  settings,
  presets,
};
