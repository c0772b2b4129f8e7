// Where the files of a library lie, and how a job's files are named.
import { join } from "node:path";
import { RushesError } from "../../contract/errors.ts";
import type { Job } from "../../contract/job.ts";
import { makeFolder } from "../media/whole-file.ts";

export class LibraryFiles {
  readonly folder: string;
  readonly database: string;
  readonly videos: string;
  readonly latents: string;
  readonly inputs: string;
  /** Where people put LoRA files that they choose by name. */
  readonly loras: string;
  readonly embeddings: string;
  /** What can be made again at any time. */
  readonly cache: string;
  readonly logs: string;

  constructor(folder: string) {
    this.folder = folder;
    this.database = join(folder, "rushes.db");
    this.videos = join(folder, "videos");
    this.latents = join(folder, "latents");
    this.inputs = join(folder, "inputs");
    this.loras = join(folder, "loras");
    this.cache = join(folder, "cache");
    this.embeddings = join(this.cache, "embeddings");
    this.logs = join(folder, "logs");
  }

  /** Makes the folders that are missing; throws file.unwritable. */
  make(): void {
    const { videos, latents, inputs, loras, embeddings, logs } = this;
    for (const folder of [this.folder, videos, latents, inputs, loras, embeddings, logs]) {
      try {
        makeFolder(folder);
      } catch (error) {
        throw new RushesError("file.unwritable", {
          sentence: `The library folder ${folder} cannot be made.`,
          advice: "Choose a library folder you may write to, with --library or RUSHES_LIBRARY.",
          detail: error instanceof Error ? error.message : String(error),
        });
      }
    }
  }

  /** The name a job's video wants; it gets a suffix when it is taken. */
  videoPath(job: Pick<Job, "createdAt" | "mode" | "seed">): string {
    return join(this.videos, `${timeStamp(new Date(job.createdAt))}_${job.mode}_${job.seed}.mp4`);
  }

  /** Latents carry the job's uid: ids start again when the history is lost and the files are not. */
  latentsPath(job: Pick<Job, "uid">): string {
    return join(this.latents, `${job.uid}.safetensors`);
  }

  /** Latents of a step carry a name of the model's content too: what other weights began, these cannot go on with. */
  stepLatentsPrefix(job: Pick<Job, "uid">, weights: string): string {
    return join(this.latents, `${job.uid}-${weights}`);
  }

  stepLatentsPath(job: Pick<Job, "uid">, weights: string, step: number): string {
    return `${this.stepLatentsPrefix(job, weights)}-step${step}.safetensors`;
  }

  embeddingPath(name: string): string {
    return join(this.embeddings, name);
  }
}

/** YYYY-MM-DD_HHMMSS in local time. */
export function timeStamp(date: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day}_${two(date.getHours())}${two(date.getMinutes())}${two(date.getSeconds())}`;
}
