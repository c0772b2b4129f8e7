// What a report of trouble needs to know of this machine and this copy of Rushes, as a list of facts.
import { release } from "node:os";
import { statfs } from "node:fs/promises";
import { asRushesError } from "../../contract/errors.ts";
import { formatBytes, formatMemory } from "../../contract/format-bytes.ts";
import type { DiagnosticFact } from "../../contract/channels/machine.ts";
import type { Machine } from "../engine/addon.ts";
import { cardFacts } from "./graphics-card.ts";
import type { StudioCore } from "./studio-core.ts";

/** A library's disk with less room than this is nearly full, bytes. */
const smallestFreeBytes = 200e6;

export async function diagnosticFacts(core: StudioCore): Promise<DiagnosticFact[]> {
  const program: DiagnosticFact[] = [
    fact("program", "Node", process.version),
    ...(process.versions["electron"] ? [fact("program", "Electron", process.versions["electron"])] : []),
    fact("program", "System", `${process.platform} ${release()} ${process.arch}`),
  ];
  return [...program, ...(await machineFacts(core)), ...(await folderFacts(core))];
}

async function machineFacts({ engine }: StudioCore): Promise<DiagnosticFact[]> {
  try {
    return factsOf(await engine.call("machine", []));
  } catch (error) {
    const { message, advice } = asRushesError(error);
    return [{ group: "program", name: "Engine", value: `${message} ${advice}`.trim(), good: false }];
  }
}

function factsOf({ cpu, memory, gpu, libraries }: Machine): DiagnosticFact[] {
  return [
    { group: "program", name: "Engine", value: "ready", good: true },
    fact("cpu", "Name", cpu.model),
    fact("cpu", "Cores", String(cpu.cores)),
    fact("cpu", "Instructions", cpu.isa.join(", ")),
    fact("memory", "Total", formatMemory(memory.totalBytes)),
    fact("memory", "Free", formatMemory(memory.freeBytes)),
    ...cardFacts(gpu).map(([name, value]) => fact("gpu", name, value)),
    ...Object.entries(libraries).map(
      // Without OpenH264 no video can be written; every other library only makes things quicker.
      ([name, text]): DiagnosticFact => ({
        group: "libraries",
        name,
        value: text || "not found",
        good: isThere(text) ? true : name === "OpenH264" ? false : null,
      }),
    ),
  ];
}

async function folderFacts({ files }: StudioCore): Promise<DiagnosticFact[]> {
  const facts = [fact("folders", "Library", files.folder), fact("folders", "Log", files.logs)];
  try {
    const { bavail, bsize } = await statfs(files.folder);
    const free = bavail * bsize;
    return [...facts, { group: "folders", name: "Free", value: formatBytes(free), good: free >= smallestFreeBytes }];
  } catch (error) {
    return [...facts, { group: "folders", name: "Free", value: asRushesError(error).message, good: false }];
  }
}

function fact(group: DiagnosticFact["group"], name: string, value: string): DiagnosticFact {
  return { group, name, value, good: null };
}

function isThere(text: string): boolean {
  return text !== "" && !/^(no|none|missing|not )/i.test(text);
}
