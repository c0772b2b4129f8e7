// The suites about graphics cards: what nvcc makes of the kernels, which needs no card, and everything on a card.
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { oneCase, root, type Suite } from "./suite.ts";

/** Where it lies when it is not on the path. */
const nvcc = ["nvcc", "/usr/local/cuda/bin"] as const;

/** One architecture here; a release has all six (test/native/gpu/kernel_report.py without --architectures). */
const architecture = "90a";

export const cardSuites: readonly Suite[] = [
  {
    name: "nvcc",
    quick: false,
    missing: () => missingOf([nvcc, ["python3"]]),
    run: () =>
      oneCase(
        `kernels for ${architecture}`,
        "python3",
        [join(root, "test/native/gpu/kernel_report.py"), "--architectures", architecture],
        { log: "nvcc", minutes: 30 },
      ),
  },
  {
    name: "gpu",
    quick: false,
    missing: () => (hasCard() ? missingOf([nvcc]) : "no GPU"),
    run: () =>
      oneCase("test/native/gpu/run.sh", join(root, "test/native/gpu/run.sh"), [join(root, "build-gpu")], {
        log: "gpu",
        minutes: 12,
      }),
  },
];

/** Whether the driver names a card: its program alone may lie on a machine that has none. */
function hasCard(): boolean {
  const env = { ...process.env, PATH: [process.env.PATH, "/usr/local/nvidia/bin"].join(delimiter) };
  const { status, stdout } = spawnSync("nvidia-smi", ["--query-gpu=compute_cap", "--format=csv,noheader"], {
    env,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    // A driver in trouble may never answer.
    timeout: 60_000,
    killSignal: "SIGKILL",
  });
  return status === 0 && /^\d+\.\d+$/.test(stdout.split("\n")[0]!.trim());
}

/** "no NAME" of the first program that is neither on the path nor in the folder given with it, or null. */
function missingOf(programs: readonly (readonly [name: string, folder?: string])[]): string | null {
  const path = (process.env.PATH ?? "").split(delimiter);
  const absent = programs.find(([name, folder]) => ![...path, folder ?? ""].some((place) => isProgram(place, name)));
  return absent ? `no ${absent[0]}` : null;
}

function isProgram(folder: string, name: string): boolean {
  try {
    accessSync(join(folder, name), constants.X_OK);
    return folder !== "";
  } catch {
    return false;
  }
}
