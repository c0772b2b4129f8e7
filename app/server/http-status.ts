// Which HTTP status an error is answered with. The record in the body says the rest.
import type { ErrorCode, RushesError } from "../../contract/errors.ts";
import { UnknownAddress } from "../channels/registry.ts";
import { TooManyAttempts } from "./access.ts";
import { ForeignRequest } from "./origin.ts";

const statuses: Partial<Record<ErrorCode, number>> = {
  "request.invalid": 400,
  "request.unauthorised": 401,
  "request.too_large": 413,
  "path.refused": 403,
  "capability.missing": 403,
  "preset.builtin": 403,
  "job.unknown": 404,
  "preset.unknown": 404,
  "model.unknown": 404,
  "file.unreadable": 404,
  "checkpoint.missing": 404,
  "lora.missing": 404,
  "latents.missing": 404,
  "job.started": 409,
  "job.not_running": 409,
  "job.cancelled": 409,
  "engine.busy": 409,
  "history.busy": 503,
  "engine.missing": 503,
  "engine.crashed": 503,
  "gpu.lost": 503,
  "gpu.failed": 503,
  "memory.exhausted": 507,
  "disk.full": 507,
  "engine.internal": 500,
  "history.unreadable": 500,
  "history.newer": 500,
};

/** Every status a channel may answer with besides 200, for the description. */
export const errorStatuses: readonly number[] = [...new Set([...Object.values(statuses), 422, 429])].sort();

/** 422 for what was understood and cannot be used: settings, checkpoints. */
export function statusOf(error: RushesError): number {
  if (error instanceof TooManyAttempts) return 429;
  if (error instanceof ForeignRequest) return 403;
  if (error instanceof UnknownAddress) return 404;
  return statuses[error.code] ?? 422;
}
