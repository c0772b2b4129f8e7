// What the settings view knows of the machine: facts, self-test, log, and all of it as text for a report of trouble.
import type { DiagnosticFact, MachineChannels, SelfTestLine } from "../../../contract/channels/machine.ts";
import { asRushesError, type ErrorRecord } from "../../../contract/errors.ts";
import { request } from "../../bridge.ts";
import { connection } from "../../state/connection.svelte.ts";

type SelfTest = MachineChannels["machine:selfTest"]["reply"];

const logLines = 200;

class Diagnostics {
  #facts = $state.raw<readonly DiagnosticFact[] | null>(null);
  #selfTest = $state.raw<SelfTest | null>(null);
  #testing = $state(false);
  #log = $state<string | null>(null);
  #error = $state.raw<ErrorRecord | null>(null);

  get facts(): readonly DiagnosticFact[] | null {
    return this.#facts;
  }

  get selfTest(): SelfTest | null {
    return this.#selfTest;
  }

  get testing(): boolean {
    return this.#testing;
  }

  get log(): string | null {
    return this.#log;
  }

  get error(): ErrorRecord | null {
    return this.#error;
  }

  async load(): Promise<void> {
    await this.#try(async () => {
      const [{ facts }, { text }] = await Promise.all([
        request("machine:diagnostics", {}),
        request("machine:log", { lines: logLines }),
      ]);
      this.#facts = facts;
      this.#log = text;
    });
  }

  async runSelfTest(): Promise<void> {
    if (this.#testing) return;
    this.#testing = true;
    await this.#try(async () => {
      this.#selfTest = await request("machine:selfTest", {});
    });
    this.#testing = false;
  }

  /** English, whatever the window's language: it is read by others. */
  report(): string {
    const facts = (this.#facts ?? []).map(({ group, name, value }) => `${group}: ${name}: ${value}`);
    const test = this.#selfTest;
    const failures = (test?.lines ?? []).filter(({ passed }) => !passed).map(lineText);
    const summary = test ? [`self-test: ${test.passed} passed, ${test.failed} failed`, ...failures] : [];
    return [`Rushes ${connection.hello?.version ?? ""}`, ...facts, ...summary, "", "log:", this.#log ?? ""].join("\n");
  }

  async #try(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.#error = null;
    } catch (error) {
      this.#error = asRushesError(error).toJSON();
    }
  }
}

/** The window's own: a self-test takes a while, and what it found outlasts the view. */
export const diagnostics = new Diagnostics();

function lineText({ operation, name, instructionSet, case: what, error, tolerance, problem }: SelfTestLine): string {
  return `failed: ${operation} ${name} (${instructionSet}) ${what}: ${problem || `${error} > ${tolerance}`}`;
}

export interface TestedOperation {
  readonly operation: string;
  readonly lines: readonly SelfTestLine[];
  readonly passed: number;
}

/** The checks by operation, failed ones first. */
export function byOperation(lines: readonly SelfTestLine[]): TestedOperation[] {
  const groups = Map.groupBy(lines, ({ operation }) => operation);
  return [...groups]
    .map(([operation, group]) => ({
      operation,
      lines: group.toSorted((one, other) => Number(one.passed) - Number(other.passed)),
      passed: group.filter(({ passed }) => passed).length,
    }))
    .sort((one, other) => Number(one.passed === one.lines.length) - Number(other.passed === other.lines.length));
}
