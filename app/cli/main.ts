// The command line's entry: words in, exit code out. Exit codes: 0 done, 1 failed, 2 bad usage, 130 cancelled.
import { asRushesError } from "../../contract/errors.ts";
import { normaliseArguments } from "./arguments.ts";
import { exitCodeOf, exitCodes } from "./context.ts";
import { Output } from "./output.ts";
import { runProgram } from "./program.ts";
import { version } from "./version.ts";

const controller = new AbortController();
let presses = 0;
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => {
    presses++;
    controller.abort();
    // A second Ctrl+C does not wait; neither does the first one for ever. The engine ends with this process.
    if (presses > 1) process.exit(exitCodes.cancelled);
    setTimeout(() => process.exit(exitCodes.cancelled), 5000).unref();
  });
}
// A reader that goes away (`rushes history | head`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(exitCodes.done);
});

const words = withCommand(process.argv.slice(2));
let output = new Output({ json: words.includes("--json"), verbose: words.includes("--verbose") });
try {
  process.exitCode = await runProgram(normaliseArguments(words), {
    version: version(),
    signal: controller.signal,
    onOutput: (made) => {
      output = made;
    },
  });
} catch (thrown) {
  const error = asRushesError(thrown);
  output.error(error);
  process.exitCode = exitCodeOf(error.code);
}

/** Flags alone are TurboDiffusion's command: `rushes --prompt ... --dit_path ...` generates. */
function withCommand(given: string[]): string[] {
  const isGenerate = given.some((word) => /^--(prompt|prompts[-_]file|dit[-_]path)(=|$)/.test(word));
  return given[0]?.startsWith("--") && isGenerate ? ["generate", ...given] : given;
}
