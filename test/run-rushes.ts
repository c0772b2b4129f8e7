// Runs the built program (out/, build/Release) as a user does, in a process of its own with a library of its own.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const program = join(root, "out/app/cli/main.js");
const node = join(root, "node_modules/.bin/node");

/** Runs a command with --json and returns its one object. Throws with everything it said when it fails. */
export async function runRushes<T>(args: readonly string[], library: string): Promise<T> {
  if (!existsSync(program)) throw new Error("The program is not built: run ./rushes doctor once.");
  const child = spawn(node, [program, ...args, "--json", "--library", library], { stdio: ["ignore", "pipe", "pipe"] });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
  const code = await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  const [text, words] = [Buffer.concat(out).toString(), Buffer.concat(err).toString()];
  if (code !== 0) throw new Error(`rushes ${args.join(" ")}: exit code ${String(code)}\n${text}\n${words}`);
  return JSON.parse(text) as T;
}
