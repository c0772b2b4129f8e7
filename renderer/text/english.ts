// All English words of the window, one file per view in english/.
// This is the source: the Chinese dictionary has this one's type.
import { app } from "./english/app.ts";
import { parts } from "./english/parts.ts";
import { fields } from "./english/fields.ts";
import { shortcuts } from "./english/shortcuts.ts";
import { generate } from "./english/generate.ts";
import { queue } from "./english/queue.ts";
import { history } from "./english/history.ts";
import { compare } from "./english/compare.ts";
import { models } from "./english/models.ts";
import { settings } from "./english/settings.ts";
import { presets } from "./english/presets.ts";

export const english = {
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

export type Dictionary = typeof english;
