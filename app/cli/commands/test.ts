// rushes test: the project's whole test suite (test/run.ts), with whatever follows as its arguments.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { RushesError } from "../../../contract/errors.ts";
import { projectFolder } from "../project-folder.ts";
import { type Command, exitCodes } from "../context.ts";

export const test: Command = async ({ output, signal }, words) => {
  const root = projectFolder();
  const script = join(root, "test", "run.ts");
  if (!existsSync(script)) {
    const sentence = "This copy of Rushes came without its tests.";
    throw new RushesError("usage.invalid", { sentence, advice: "Run it from a checkout of the project." });
  }
  // With --json the one object is the only thing on standard output.
  const child = spawn(process.execPath, [script, ...words], {
    cwd: root,
    stdio: ["inherit", output.json ? 2 : "inherit", "inherit"],
  });
  const stop = () => child.kill("SIGINT");
  signal.addEventListener("abort", stop, { once: true });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.once("error", reject);
  child.once("exit", (code) => {
    resolve(code ?? exitCodes.failed);
  });
  const code = await promise;
  signal.removeEventListener("abort", stop);
  output.printJson({ passed: code === 0, exitCode: code });
  return signal.aborted ? exitCodes.cancelled : code;
};
