// The number of a job as it is typed.
import { RushesError } from "../../contract/errors.ts";

/** Throws usage.invalid. */
export function readJobId(word: string | undefined): number {
  if (word !== undefined && /^\d{1,15}$/.test(word)) return Number(word);
  throw new RushesError("usage.invalid", {
    sentence: `"${word ?? ""}" is not the number of a job.`,
    advice: "Run `rushes history` for the numbers.",
  });
}
