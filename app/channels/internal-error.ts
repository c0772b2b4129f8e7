// What went wrong inside Rushes while a door answered: the window gets a sentence, the log of the library the whole.
import { asRushesError, type RushesError } from "../../contract/errors.ts";

export interface ErrorLog {
  write(text: string): void;
}

/** Whatever was thrown as a RushesError; what nobody foresaw is written down with its detail. `asked` says what for, without
 * anything secret. */
export function answeredError(thrown: unknown, asked: string, log: ErrorLog): RushesError {
  const error = asRushesError(thrown);
  if (error.code === "engine.internal") log.write(`${asked}: ${error.message}\n${error.detail}`);
  return error;
}
