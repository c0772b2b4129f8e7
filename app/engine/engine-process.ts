// What the client needs of the process that holds the engine, however it was started: forked by Node (forked-process.ts)
// or by Electron as a utility process (app/windows).
import type { FromEngine, ToEngine } from "./messages.ts";

/** One process running worker.ts, from its start to its end. Listeners are set once, right after the start. */
export interface EngineProcess {
  /** The system's number of the process, or null before it has one. */
  readonly processId: number | null;
  /** Hands a message over. Never throws: a process that cannot be reached is ending, and onExit says so. */
  send(message: ToEngine): void;
  onMessage(listener: (message: FromEngine) => void): void;
  /** What the process prints, standard output and errors alike, as it comes. */
  onOutput(listener: (text: string) => void): void;
  /** Called once, after the last message and the last output. `reason` is short: "SIGKILL", "exit code 3". */
  onExit(listener: (reason: string) => void): void;
  /** Ends the process at once, whatever it is doing. */
  kill(): void;
  /** Whether the process, and the pipes to it, keep this program alive. A fresh process does. */
  hold(held: boolean): void;
}

/** Starts worker.ts (or what was built of it) with the addon's path as its last argument. Must not throw: a start that
 * fails is told to onExit. */
export type SpawnEngine = (addonPath: string) => EngineProcess;
