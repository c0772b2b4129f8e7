// Which process is which, even after its number was given to another one.
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

export interface ProcessIdentity {
  processId: number;
  /** When the process started, as the system counts; "" where the system does not say. */
  processStart: string;
  /** The machine since its last start, and the set of process numbers the process lives in. */
  host: string;
}

export function ownIdentity(): ProcessIdentity {
  const host = [hostname(), read("/proc/sys/kernel/random/boot_id"), processSpace()].join("/");
  return { processId: process.pid, processStart: startOf(process.pid) ?? "", host };
}

/** Whether a process of this host still runs; "unknown" where only its number can be checked. */
export function isSameProcessAlive({ processId, processStart }: ProcessIdentity): boolean | "unknown" {
  try {
    process.kill(processId, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const start = startOf(processId);
  if (processStart === "" || start === null) return "unknown";
  return start === processStart;
}

/** Start time in clock ticks (field 22 of /proc/PID/stat, proc(5)); a process that only waits to be reaped has none. */
function startOf(processId: number): string | null {
  const stat = read(`/proc/${processId}/stat`);
  // The second field is the name in parentheses and may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (fields[0] === "Z" || fields[0] === "X") return "ended";
  return fields[19] ?? null;
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}

function processSpace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}
