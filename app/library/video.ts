// A finished video, as the library hands it out.
import { readFile, stat } from "node:fs/promises";
import { basename, join, resolve, sep } from "node:path";
import { RushesError } from "../../contract/errors.ts";
import { replaceFile } from "../media/whole-file.ts";
import type { Int8Summary, JobDetail, JobStageRecord } from "../../contract/job.ts";

/** One video with everything that is recorded of it. */
export class Video {
  /** The job's number in the library's history. */
  readonly id: number;
  /** The file in the library. */
  readonly path: string;
  /** Its poster, a PNG. */
  readonly posterPath: string;
  /** The extra copy, where one was asked for. */
  readonly copyPath: string | null;
  readonly prompt: string;
  readonly model: string;
  readonly seed: number;
  /** What ran, every automatic value resolved; values that do nothing for this model are recorded too. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Seconds and peak bytes of each stage, in order. */
  readonly stages: readonly JobStageRecord[];
  /** Quantized linear layers; null when there were none. */
  readonly int8: Int8Summary | null;
  readonly warnings: readonly string[];
  readonly frames: number;
  readonly width: number;
  readonly height: number;
  readonly bytes: number;

  /** Throws job.unknown when the job has no video. */
  constructor(job: JobDetail) {
    const { video } = job;
    if (!video) throw new RushesError("job.unknown", `Job ${job.id} has no video.`);
    this.id = job.id;
    this.path = video.path;
    this.posterPath = video.posterPath;
    this.copyPath = video.copyPath;
    this.prompt = job.prompt;
    this.model = job.model;
    this.seed = job.seed;
    this.settings = job.settings;
    this.stages = job.stages.filter(({ attempt }) => attempt === Math.max(...job.stages.map((stage) => stage.attempt)));
    this.int8 = job.int8;
    this.warnings = job.warnings;
    this.frames = video.frames;
    this.width = video.width;
    this.height = video.height;
    this.bytes = video.bytes;
  }

  /** Copies the file to a path, or into a folder (one that exists, or a path that ends in a separator), and returns
   * where it is. An existing file is replaced. Throws file.unwritable or disk.full; then no part of a file is left. */
  async save(path: string): Promise<string> {
    const isFolder = path.endsWith(sep) || path.endsWith("/") || (await stat(path).catch(() => null))?.isDirectory();
    const target = resolve(isFolder ? join(path, basename(this.path)) : path);
    await replaceFile(target, await readFile(this.path));
    return target;
  }

  get seconds(): number {
    return this.stages.reduce((sum, { seconds }) => sum + seconds, 0);
  }
}
