// Editing a waiting job in the form: its settings are borrowed, the user's own draft comes back afterwards. Changes that are
// left without being saved can be taken up again.
import type { Job } from "../../../contract/job.ts";
import { differences } from "../../../contract/settings/derive.ts";
import { request } from "../../bridge.ts";
import { form, type Snapshot } from "../../state/form.svelte.ts";
import { jobs } from "../../state/jobs.svelte.ts";
import { route } from "../../state/route.svelte.ts";
import { toasts } from "../../state/toasts.svelte.ts";
import { jobSettings, ownValuesOf, pictureOf } from "../../state/use-settings.ts";
import { text } from "../../text/text.svelte.ts";

class JobEdit {
  #job = $state.raw<Job | null>(null);
  #saving = $state(false);
  #wanted: number | null = null;
  /** What the job holds, as far as is known here: the form differs from it where there is something to save. */
  #held: Snapshot | null = null;
  /** Changes that were left and are wanted again. */
  #resumed: { readonly jobId: number; readonly changes: Snapshot } | null = null;

  /** The job being edited. */
  get job(): Job | null {
    return this.#job;
  }

  get saving(): boolean {
    return this.#saving;
  }

  /** Begins or ends editing as the address says. A job that no longer waits is said and left alone. */
  async follow(jobId: number | null): Promise<void> {
    if (jobId === this.#wanted) return;
    this.#wanted = jobId;
    this.#end();
    if (jobId === null) return;
    try {
      const { waiting } = await request("queue:state", {});
      const job = waiting.find(({ id }) => id === jobId);
      if (this.#wanted !== jobId) return;
      if (!job) return this.#gone(jobId);
      const values = await ownValuesOf(jobSettings(job), pictureOf(job));
      if (this.#wanted !== jobId) return;
      this.#begin(job, { values, presetId: null, picture: pictureOf(job) });
    } catch (error) {
      toasts.error(error);
      if (this.#wanted === jobId) this.#leave();
    }
  }

  /** Replaces what the job will run, and goes back to the queue. */
  async save(): Promise<void> {
    const job = this.#job;
    if (!job || this.#saving) return;
    this.#saving = true;
    const changes = form.snapshot;
    try {
      await request("queue:edit", { jobId: job.id, draft: form.draft });
      toasts.show(text.words.generate.editSaved(job.id), { tone: "good" });
      jobs.refresh();
      if (this.#job !== job) return;
      this.#held = changes;
      this.#saving = false;
      route.go("queue");
    } catch (error) {
      toasts.error(error);
      if (this.#job !== job) this.#offerBack(job.id, changes);
    } finally {
      this.#saving = false;
    }
  }

  /** Leaves the job as it was. */
  discard(): void {
    this.#leave();
  }

  #begin(job: Job, held: Snapshot): void {
    const resumed = this.#resumed?.jobId === job.id ? this.#resumed.changes : held;
    this.#resumed = null;
    form.borrow(resumed.values, resumed.picture, resumed.presetId);
    this.#held = held;
    this.#job = job;
  }

  #end(): void {
    const job = this.#job;
    if (job === null) return;
    const left = form.snapshot;
    // While they are being saved, the answer decides.
    const lost = !this.#saving && this.#held !== null && differs(left, this.#held);
    this.#job = null;
    this.#held = null;
    form.putBack();
    if (lost) this.#offerBack(job.id, left);
  }

  #offerBack(jobId: number, changes: Snapshot): void {
    toasts.undoable(text.words.generate.editLeft(jobId), () => {
      if (this.#job?.id === jobId) return form.replace(changes.values, changes.presetId, changes.picture);
      this.#resumed = { jobId, changes };
      route.go("generate", "", { edit: String(jobId) });
    });
  }

  #gone(jobId: number): void {
    this.#resumed = null;
    toasts.show(text.words.generate.editGone(jobId), { tone: "bad" });
    this.#leave();
  }

  #leave(): void {
    route.go("generate", "", {}, true);
  }
}

function differs(one: Snapshot, other: Snapshot): boolean {
  const picture = ({ picture }: Snapshot) => JSON.stringify(picture);
  return (
    differences(one.values, other.values).length > 0 ||
    one.presetId !== other.presetId ||
    picture(one) !== picture(other)
  );
}

export const jobEdit = new JobEdit();
