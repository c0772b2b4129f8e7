// Answers the machine's channels from the studio.
import type { MachineChannels } from "../../contract/channels/machine.ts";
import type { Studio } from "../studio/studio.ts";
import type { HandlersOf } from "./handlers.ts";

/** More lines of the log than this are not given at once. */
const mostLogLines = 5000;

export function machineChannels(studio: Studio): HandlersOf<MachineChannels> {
  return {
    "machine:state": async () => ({ machine: await studio.machineState.state() }),
    "machine:unload": async () => ({ machine: await studio.machineState.unload() }),
    "machine:selfTest": async () => {
      const { checks, passed, failed } = await studio.selfTest();
      const lines = checks.map(({ isa, ...check }) => ({ ...check, instructionSet: isa }));
      return { lines, passed, failed };
    },
    "machine:diagnostics": async () => ({ facts: await studio.machineState.diagnostics() }),
    "machine:log": ({ lines }) => ({ text: studio.log.end(Math.min(lines, mostLogLines)) }),
  };
}
