// rushes doctor: what this machine has, whether everything Rushes needs is there, and whether every kernel computes
// what its reference does. Exit code 1 when anything is red.
import { rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { styleText } from "node:util";
import type { ModelEntry } from "../../../contract/channels/models.ts";
import { asRushesError, type RushesError } from "../../../contract/errors.ts";
import { formatBytes, formatMemory } from "../../../contract/format-bytes.ts";
import type { Machine, SelfTest, SelfTestCheck } from "../../engine/addon.ts";
import { untilAborted } from "../../library/model.ts";
import { makeFolder } from "../../media/whole-file.ts";
import { libraryFolderOf } from "../../settings/library-folder.ts";
import { cardLine } from "../../studio/graphics-card.ts";
import { type Command, type CommandContext, exitCodes } from "../context.ts";

/** One line of the report. A finding that is not `ok` makes the whole report red. */
interface Finding {
  readonly name: string;
  readonly ok: boolean;
  readonly text: string;
  /** What to do when it is red. */
  readonly remedy: string;
}

const smallestFreeBytes = 200e6;

export const doctor: Command = async (context) => {
  const { output } = context;
  const folder = libraryFolderOf(context.library);
  const findings: Finding[] = [nodeFinding(), await folderFinding(folder), await diskFinding(folder)];
  let machine: Machine | null = null;
  let selfTest: SelfTest | null = null;
  let printed = false;
  try {
    const { openStudio } = await import("../../studio/open-studio.ts");
    const studio = await openStudio({ libraryFolder: folder });
    try {
      studio.list({ limit: 1 });
      findings.push({ name: "History", ok: true, text: join(folder, "rushes.db"), remedy: "" });
      // The machine first: without an engine every model would seem to be wrong.
      machine = await untilAborted(studio.machine(), context.signal);
      const models = await untilAborted(studio.installedModels.list(), context.signal);
      findings.push(...models.map(modelFinding), ...machineFindings(machine));
      print(context, findings);
      printed = true;
      selfTest = await untilAborted(studio.selfTest(), context.signal);
    } finally {
      await studio.close();
    }
  } catch (thrown) {
    if (context.signal.aborted) throw thrown;
    const error = asRushesError(thrown);
    print(context, printed ? [errorFinding(error)] : [...findings, errorFinding(error)]);
    findings.push(errorFinding(error));
  }
  if (selfTest) printSelfTest(context, selfTest);
  const ok = findings.every((finding) => finding.ok) && selfTest !== null && selfTest.failed === 0;
  output.printJson({ ok, findings, machine, selfTest });
  output.print(ok ? "Everything is in order." : "Something is wrong: see the lines marked red.");
  return ok ? exitCodes.done : exitCodes.failed;
};

function nodeFinding(): Finding {
  const [major = 0] = process.versions.node.split(".").map(Number);
  return {
    name: "Node",
    ok: major >= 24,
    text: process.version,
    remedy: "Rushes needs Node 24 or newer: run `npm ci`.",
  };
}

async function folderFinding(folder: string): Promise<Finding> {
  const remedy = "Choose another folder with --library or RUSHES_LIBRARY.";
  const probe = join(folder, `.doctor-${process.pid}`);
  try {
    makeFolder(folder);
    await writeFile(probe, "");
    await rm(probe);
    return { name: "Library", ok: true, text: `${folder}, writable`, remedy };
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? "";
    return { name: "Library", ok: false, text: `${folder} cannot be written (${reason})`, remedy };
  }
}

async function diskFinding(folder: string): Promise<Finding> {
  const remedy = "Free some space, or choose another folder with --library.";
  try {
    const { bavail, bsize } = await statfs(folder);
    const free = bavail * bsize;
    return { name: "Disk", ok: free >= smallestFreeBytes, text: `${formatBytes(free)} free`, remedy };
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? "";
    return { name: "Disk", ok: false, text: `free space is unknown (${reason})`, remedy };
  }
}

function modelFinding({ name, builtIn, files, state, problem }: ModelEntry): Finding {
  if (state === "ready") return { name: "Model", ok: true, text: `${name}, ${files[0]?.path ?? ""}`, remedy: "" };
  const gone = files.some(({ path, bytes }) => path !== "" && bytes === null);
  const whereFrom = builtIn
    ? "It comes with Rushes: install that again."
    : "Connect the disk it lies on, or forget the model under Models.";
  // What else may be wrong says itself what to do.
  return {
    name: "Model",
    ok: false,
    text: `${name}: ${problem ?? "it cannot be used."}`,
    remedy: gone ? whereFrom : "",
  };
}

function machineFindings({ cpu, memory, gpu, libraries }: Machine): Finding[] {
  const fact = (name: string, text: string): Finding => ({ name, ok: true, text, remedy: "" });
  return [
    fact("CPU", `${cpu.model}, ${cpu.cores} cores: ${cpu.isa.join(", ")}`),
    fact("Memory", `${formatMemory(memory.totalBytes)}, ${formatMemory(memory.freeBytes)} free`),
    fact("GPU", cardLine(gpu)),
    ...Object.entries(libraries).map(([name, text]) => libraryFinding(name, text)),
  ];
}

/** Videos cannot be written without OpenH264; without libvpx only WebM is missing. */
function libraryFinding(name: string, text: string): Finding {
  const present = text !== "" && !/^(no|none|missing|not )/i.test(text);
  const remedy = "Install libopenh264-dev and run `npm run addon`.";
  return { name, ok: present || name !== "OpenH264", text: text || "not found", remedy };
}

function errorFinding({ code, message, advice, detail }: RushesError): Finding {
  return {
    name: "Engine",
    ok: false,
    text: `${message} (${code})`,
    remedy: [advice, detail].filter(Boolean).join(" "),
  };
}

function print({ output }: CommandContext, findings: readonly Finding[]): void {
  for (const { name, ok, text, remedy } of findings) {
    output.print(`${mark(ok)}  ${name.padEnd(9)} ${text}`);
    if (!ok && remedy) output.print(`       ${remedy}`);
  }
}

/** One line for each kernel; a red one names its case. */
function printSelfTest({ output }: CommandContext, { checks, passed, failed }: SelfTest): void {
  for (const [name, cases] of Map.groupBy(checks, (check) => check.name)) {
    const wrong = cases.filter((check) => !check.passed);
    const worst = cases.reduce((most, check) => (errorShare(check) > errorShare(most) ? check : most));
    const { isa, tolerance, error } = worst;
    const numbers = `error ${(error ?? 0).toExponential(1)} of ${tolerance.toExponential(1)}`;
    if (wrong.length === 0) output.print(`${mark(true)}  ${name} (${isa}): ${cases.length} cases, ${numbers}`);
    for (const check of wrong) output.print(`${mark(false)}  ${name} (${isa}), ${check.case}: ${whatIsWrong(check)}`);
  }
  output.print(`Kernels: ${passed} cases green, ${failed} red.`);
}

/** How much of its tolerance a case used. */
function errorShare({ error, tolerance }: SelfTestCheck): number {
  if (error === null) return Infinity;
  return tolerance > 0 ? error / tolerance : error;
}

function whatIsWrong({ error, tolerance, problem }: SelfTestCheck): string {
  if (problem) return problem;
  if (error === null) return "the result is not a number";
  return `error ${error.toExponential(1)}, at most ${tolerance.toExponential(1)} is right`;
}

function mark(ok: boolean): string {
  return styleText(ok ? "green" : "red", ok ? "green" : "red  ", { stream: process.stdout });
}
