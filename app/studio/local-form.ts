// The form's part of a studio: checks, command lines, the window's session, dropped videos.
import type { DraftCheck } from "../../contract/channels/generate.ts";
import type { RestoredVideo, Session, SessionChange } from "../../contract/channels/studio.ts";
import { databaseError } from "../history/database.ts";
import { requireJob } from "../history/reads/jobs.ts";
import { readSessionValue } from "../history/reads/session.ts";
import { writeSessionValue } from "../history/writes/session.ts";
import { sessionToKeep, soundSession } from "../settings/session.ts";
import { checkDraft } from "./draft-check.ts";
import { commandOfDraft, commandOfJob } from "./draft-command.ts";
import type { LocalModels } from "./local-models.ts";
import type { PresetStore } from "../presets/preset-store.ts";
import { restoreVideo } from "./restore-video.ts";
import type { LocalDraft, StudioForm } from "./studio.ts";
import type { StudioCore } from "./studio-core.ts";

export class LocalForm implements StudioForm {
  readonly #core: StudioCore;
  readonly #models: LocalModels;
  readonly #presets: Pick<PresetStore, "defaultId">;

  constructor(core: StudioCore, models: LocalModels, presets: Pick<PresetStore, "defaultId">) {
    this.#core = core;
    this.#models = models;
    this.#presets = presets;
  }

  check(draft: LocalDraft): Promise<DraftCheck> {
    return checkDraft(this.#core, this.#models, draft);
  }

  async command(what: { draft: LocalDraft } | { jobId: number }): Promise<string> {
    if ("draft" in what) return commandOfDraft(this.#core, this.#models, what.draft);
    return commandOfJob(this.#core, this.#models, requireJob(this.#core.database, what.jobId));
  }

  session(): Session {
    const kept = readSessionValue(this.#core.database);
    return soundSession(kept ?? { presetId: this.#presets.defaultId() });
  }

  keepSession(change: SessionChange): void {
    const { database } = this.#core;
    // Immediate: another program may keep its part of the same session just now.
    const keep = database.transaction(() => writeSessionValue(database, sessionToKeep(this.session(), change)));
    try {
      keep.immediate();
    } catch (error) {
      throw databaseError(error, this.#core.files.database);
    }
  }

  restoreVideo(path: string): Promise<RestoredVideo> {
    return restoreVideo(this.#core, this.#models, path);
  }
}
