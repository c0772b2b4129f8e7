// Every error code a user can meet: what it means, what to do, and whether trying again can help. The sentence of one
// error may be more exact than the text here; the code never changes.

export interface ErrorText {
  /** One plain sentence, used where the error brings none of its own. */
  readonly text: string;
  /** What to do. */
  readonly advice: string;
  /** The same job may succeed when tried again as it is. */
  readonly retry: boolean;
}

export const errorTexts = {
  "settings.invalid": {
    text: "A setting has a value that cannot be used.",
    advice: "Run `rushes generate --help` for the settings and their ranges.",
    retry: false,
  },
  "settings.unknown": {
    text: "There is no setting of that name.",
    advice: "Run `rushes settings` for the names.",
    retry: false,
  },
  "settings.unreadable": {
    text: "The file of settings or prompts cannot be read.",
    advice: "Check that it exists and is written in the form the help describes.",
    retry: false,
  },
  "usage.invalid": {
    text: "The command cannot be understood.",
    advice: "Run `rushes --help`.",
    retry: false,
  },
  "model.unknown": {
    text: "There is no model of that name.",
    advice: "Use `--model demo`, or name the files with --dit_path, --vae_path and --text_encoder_path.",
    retry: false,
  },
  "model.unsupported": {
    text: "This model cannot do what was asked of it.",
    advice: "Choose another model.",
    retry: false,
  },
  "tokenizer.missing": {
    text: "The text encoder has no tokenizer.json beside it.",
    advice:
      "Take tokenizer.json from the google/umt5-xxl repository, and put it beside the encoder or name it with --tokenizer_path.",
    retry: false,
  },
  "tokenizer.corrupt": {
    text: "The tokenizer.json cannot be read.",
    advice: "Fetch the file again.",
    retry: false,
  },
  "checkpoint.missing": {
    text: "A model file does not exist.",
    advice: "Check the path.",
    retry: false,
  },
  "checkpoint.corrupt": {
    text: "A model file is damaged.",
    advice: "Fetch the file again and compare its size.",
    retry: false,
  },
  "checkpoint.incomplete": {
    text: "A model file lacks tensors of its architecture.",
    advice: "Run `rushes inspect` on the file to see which.",
    retry: false,
  },
  "checkpoint.unsupported": {
    text: "A model file has a form that Rushes does not read.",
    advice: "Run `rushes inspect` on the file to see what it is.",
    retry: false,
  },
  "lora.missing": {
    text: "A LoRA file is not here.",
    advice: "Put the file where it was, or into the folder loras of the library, and try again.",
    retry: true,
  },
  "memory.exhausted": {
    text: "There is not enough memory for this run.",
    advice: "Use a smaller size, fewer frames or int8, or close other programs.",
    retry: true,
  },
  "disk.full": {
    text: "The disk is full.",
    advice: "Free some space, or choose another library with --library.",
    retry: true,
  },
  "file.unwritable": {
    text: "A file cannot be written.",
    advice: "Check that the folder exists and may be written to.",
    retry: false,
  },
  "file.unreadable": {
    text: "A file cannot be read.",
    advice: "Check that it exists and may be read.",
    retry: false,
  },
  "output.not_finite": {
    text: "The computation ran into a value that is not a number.",
    advice: "Try --precision fp32 or --quant_linear=off.",
    retry: false,
  },
  "output.black": {
    text: "The finished video is black or does not change.",
    advice: "Try another seed, or a lower sigma max.",
    retry: false,
  },
  "job.cancelled": { text: "The job was cancelled.", advice: "", retry: true },
  "job.started": {
    text: "The job has begun, so it can no longer be changed.",
    advice: "Cancel it, or use its settings for another one.",
    retry: false,
  },
  "job.not_running": {
    text: "The job is not running.",
    advice: "Look at the queue for its state.",
    retry: false,
  },
  "preset.unknown": {
    text: "There is no preset of that name.",
    advice: "Look at the list of presets.",
    retry: false,
  },
  "preset.builtin": {
    text: "A built-in preset cannot be changed.",
    advice: "Duplicate it and change the copy.",
    retry: false,
  },
  "path.refused": {
    text: "This file or folder may not be used from here.",
    advice: "Choose one inside the folders that were given when the server started (`rushes serve --root FOLDER`).",
    retry: false,
  },
  "capability.missing": {
    text: "Only the desktop window can do this.",
    advice: "Open Rushes as a program on this machine.",
    retry: false,
  },
  "request.invalid": {
    text: "The request cannot be understood.",
    advice: "See /api/openapi.json for what is accepted.",
    retry: false,
  },
  "request.unauthorised": {
    text: "This address needs the link or the token that was printed when the server started.",
    advice: "Open the printed link again.",
    retry: false,
  },
  "request.too_large": {
    text: "The file is larger than this server accepts.",
    advice: "Send a smaller one.",
    retry: false,
  },
  "job.unknown": {
    text: "There is no job of that number.",
    advice: "Run `rushes history` for the jobs.",
    retry: false,
  },
  "job.interrupted": {
    text: "The job was running when the program ended.",
    advice: "Generate it again.",
    retry: true,
  },
  "latents.missing": {
    text: "The latents of this job are no longer there.",
    advice: "Generate the video again with the same seed.",
    retry: false,
  },
  "engine.missing": {
    text: "The engine has not been built.",
    advice: "Run `npm run addon`.",
    retry: false,
  },
  "engine.crashed": {
    text: "The engine's process ended unexpectedly.",
    advice: "Try again; if it happens again, run `rushes doctor`.",
    retry: true,
  },
  "engine.busy": {
    text: "The engine is at work on another job.",
    advice: "Wait for it to finish.",
    retry: true,
  },
  "engine.internal": {
    text: "Something went wrong inside Rushes.",
    advice: "Run the command again with --verbose and report what it says.",
    retry: false,
  },
  "engine.unavailable": {
    text: "The engine was built without a part that this needs.",
    advice: "Run `rushes doctor` to see what is missing.",
    retry: false,
  },
  "export.unsupported": {
    text: "A video cannot be exported in this form.",
    advice: "Choose MP4, WebM, GIF or PNG frames.",
    retry: false,
  },
  "export.cancelled": { text: "The export was cancelled.", advice: "", retry: true },
  "video.foreign": {
    text: "This file was not made by Rushes.",
    advice: "Use a video that Rushes made, or one of its exports as MP4, WebM or PNG frames.",
    retry: false,
  },
  "cpu.unsupported": {
    text: "This CPU lacks instructions the engine needs.",
    advice: "Run `rushes doctor` to see what it has.",
    retry: false,
  },
  "gpu.unavailable": {
    text: "There is no graphics card here that Rushes can use.",
    advice: "Choose the device cpu, or run `rushes doctor` to see why.",
    retry: false,
  },
  "gpu.driver": {
    text: "The driver of the graphics card is missing or too old for Rushes.",
    advice: "Install NVIDIA's current driver, or choose the device cpu.",
    retry: false,
  },
  "gpu.no_kernel": {
    text: "This build of Rushes has no code for this graphics card.",
    advice: "Choose the device cpu, or install a build for this card.",
    retry: false,
  },
  "gpu.unsupported": {
    text: "A step of this job cannot be computed on this graphics card.",
    advice: "Choose the device cpu.",
    retry: false,
  },
  "gpu.lost": {
    text: "The graphics card stopped working during the job.",
    advice: "Try again, or choose the device cpu. If it happens again, restart the computer or update the driver.",
    retry: true,
  },
  "gpu.failed": {
    text: "The graphics card could not do a part of the job.",
    advice: "Try again, or choose the device cpu.",
    retry: true,
  },
  "history.unreadable": {
    text: "The library's database cannot be read.",
    advice: "Check that rushes.db in the library folder is not damaged.",
    retry: false,
  },
  "history.newer": {
    text: "The library was written by a newer version of Rushes.",
    advice: "Update Rushes, or choose another library with --library.",
    retry: false,
  },
  "history.busy": {
    text: "Another program is using the library's database.",
    advice: "Wait a moment and try again.",
    retry: true,
  },
} as const satisfies Readonly<Record<string, ErrorText>>;

export type ErrorCode = keyof typeof errorTexts;

export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === "string" && Object.hasOwn(errorTexts, code);
}

export interface ErrorDetails {
  /** The sentence for this case; the code's text when absent. */
  readonly sentence?: string | undefined;
  readonly advice?: string | undefined;
  /** Technical detail, shown folded or with --verbose. */
  readonly detail?: string | undefined;
  /** memory.exhausted and disk.full only. */
  readonly neededBytes?: number | undefined;
  readonly freeBytes?: number | undefined;
  readonly cause?: unknown;
}

/** An error as a user meets it. `message` is the sentence. */
export class RushesError extends Error {
  override readonly name = "RushesError";
  readonly code: ErrorCode;
  readonly advice: string;
  readonly detail: string;
  readonly neededBytes: number | undefined;
  readonly freeBytes: number | undefined;

  constructor(code: ErrorCode, details: ErrorDetails | string = {}) {
    const given = typeof details === "string" ? { sentence: details } : details;
    super(given.sentence || errorTexts[code].text, given.cause === undefined ? undefined : { cause: given.cause });
    this.code = code;
    this.advice = given.advice ?? errorTexts[code].advice;
    this.detail = given.detail ?? "";
    this.neededBytes = given.neededBytes;
    this.freeBytes = given.freeBytes;
  }

  get retry(): boolean {
    return errorTexts[this.code].retry;
  }

  toJSON(): ErrorRecord {
    const { code, message: sentence, advice, detail, neededBytes, freeBytes } = this;
    return {
      code,
      sentence,
      advice,
      detail,
      ...(neededBytes === undefined ? {} : { neededBytes }),
      ...(freeBytes === undefined ? {} : { freeBytes }),
    };
  }
}

/** What is stored, printed by --json and sent between processes. */
export interface ErrorRecord {
  readonly code: ErrorCode;
  readonly sentence: string;
  readonly advice: string;
  readonly detail: string;
  readonly neededBytes?: number;
  readonly freeBytes?: number;
}

/** Any thrown value as a RushesError: codes of ours are kept, the rest becomes engine.internal with the stack as detail. */
export function asRushesError(thrown: unknown): RushesError {
  if (thrown instanceof RushesError) return thrown;
  const fields: Record<string, unknown> =
    typeof thrown === "object" && thrown !== null ? (thrown as Record<string, unknown>) : {};
  const text = (key: string) => (typeof fields[key] === "string" ? fields[key] : undefined);
  const bytes = (key: string) => (typeof fields[key] === "number" ? fields[key] : undefined);
  const { code } = fields;
  if (isErrorCode(code)) {
    return new RushesError(code, {
      sentence: text("sentence") ?? text("message"),
      advice: text("advice") || undefined,
      detail: text("detail"),
      neededBytes: bytes("neededBytes"),
      freeBytes: bytes("freeBytes"),
      cause: thrown,
    });
  }
  const system = typeof code === "string" ? systemErrors.get(code) : undefined;
  if (system) return new RushesError(system, { detail: text("message"), cause: thrown });
  return new RushesError("engine.internal", { detail: text("stack") ?? String(thrown), cause: thrown });
}

/** Node's system errors that have a plain meaning. */
const systemErrors = new Map<string, ErrorCode>([
  ["ENOSPC", "disk.full"],
  ["EDQUOT", "disk.full"],
  ["EACCES", "file.unwritable"],
  ["EPERM", "file.unwritable"],
  ["EROFS", "file.unwritable"],
  ["EISDIR", "file.unwritable"],
  ["ENOTDIR", "file.unwritable"],
  ["ENOENT", "file.unreadable"],
  ["SQLITE_CORRUPT", "history.unreadable"],
  ["SQLITE_NOTADB", "history.unreadable"],
  ["SQLITE_BUSY", "history.busy"],
  ["SQLITE_FULL", "disk.full"],
]);
