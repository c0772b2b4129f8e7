// Editing a waiting job in the form: its settings are borrowed, the user's own draft comes back afterwards.
import type { Job } from "../../../contract/job.ts";
import { request } from "../../bridge.ts";
import { form } from "../../state/form.svelte.ts";
import { jobs } from "../../state/jobs.svelte.ts";
import { route } from "../../state/route.svelte.ts";
import { toasts } from "../../state/toasts.svelte.ts";
import { jobSettings, ownValuesOf, pictureOf } from "../../state/use-settings.ts";
import { text } from "../../text/text.svelte.ts";

class JobEdit {
  #job = $state.raw<Job | null>(null);
  #saving = $state(false);
  #wanted: number | null = null;

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
    if (this.#job) {
      this.#job = null;
      form.putBack();
    }
    if (jobId === null) return;
    try {
      const { waiting } = await request("queue:state", {});
      const job = waiting.find(({ id }) => id === jobId);
      if (this.#wanted !== jobId) return;
      if (!job) return this.#gone(jobId);
      const values = await ownValuesOf(jobSettings(job), pictureOf(job));
      if (this.#wanted !== jobId) return;
      form.borrow(values, pictureOf(job));
      this.#job = job;
    } catch (error) {
      toasts.error(error);
      this.#leave();
    }
  }

  /** Replaces what the job will run, and goes back to the queue. */
  async save(): Promise<void> {
    const job = this.#job;
    if (!job || this.#saving) return;
    this.#saving = true;
    try {
      await request("queue:edit", { jobId: job.id, draft: form.draft });
      toasts.show(text.words.generate.editSaved(job.id), { tone: "good" });
      jobs.refresh();
      route.go("queue");
    } catch (error) {
      toasts.error(error);
    } finally {
      this.#saving = false;
    }
  }

  /** Leaves the job as it was. */
  discard(): void {
    this.#leave();
  }

  #gone(jobId: number): void {
    toasts.show(text.words.generate.editGone(jobId), { tone: "bad" });
    this.#leave();
  }

  #leave(): void {
    route.go("generate", "", {}, true);
  }
}

export const jobEdit = new JobEdit();
