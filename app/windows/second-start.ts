// What a start of the program hands to the one that runs already, which goes on alone. It comes from another process and is
// taken as far as it can be used.
import { realpathSync } from "node:fs";
import { isAbsolute } from "node:path";
import { z } from "zod";
import { mostFiles } from "./command-line.ts";

export interface SecondStart {
  /** Absolute paths. */
  readonly files: readonly string[];
  /** The library folder it was to open; null where none was named, and the open one is meant. */
  readonly library: string | null;
}

const path = z.string().refine((text) => isAbsolute(text));
const form = z.object({
  files: z.array(z.unknown()).catch([]),
  library: path.nullable().catch(null),
});

/** Reads what was handed over. */
export function readSecondStart(data: unknown): SecondStart {
  const { files, library } = form.catch({ files: [], library: null }).parse(data);
  const paths = files.flatMap((file) => path.safeParse(file).data ?? []);
  return { files: paths.slice(0, mostFiles), library };
}

/** Whether two paths lead to one folder; a folder that is not there is known by its path alone. */
export function isSameFolder(one: string, other: string): boolean {
  return followed(one) === followed(other);
}

function followed(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return folder;
  }
}
