// The suites about graphics cards: what nvcc makes of the kernels, which needs no card, and everything on a card.
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { oneCase, root, type Suite } from "./suite.ts";

/** One architecture here; a release has all six (test/native/gpu/kernel_report.py without --architectures). */
const architecture = "90a";

export const cardSuites: readonly Suite[] = [
  {
    name: "nvcc",
    quick: false,
    missing: () => missingOf([["nvcc", "/usr/local/cuda/bin"], ["python3"]]),
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
    missing: () => (missingOf([["nvidia-smi", "/usr/local/nvidia/bin"]]) ? "no GPU" : null),
    run: () =>
      oneCase("test/native/gpu/run.sh", join(root, "test/native/gpu/run.sh"), [join(root, "build-gpu")], {
        log: "gpu",
        minutes: 12,
      }),
  },
];

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
