// The engine's process of a studio, as the system knows it.
import { readFileSync } from "node:fs";

/** Its number, or null while there is none. */
export function engineOf(processId: number): number | null {
  try {
    const children = readFileSync(`/proc/${processId}/task/${processId}/children`, "utf8").split(" ").filter(Boolean);
    const engine = children.find((id) => readFileSync(`/proc/${id}/cmdline`, "utf8").includes("engine/worker"));
    return engine === undefined ? null : Number(engine);
  } catch {
    return null;
  }
}
