// Every fact of the machine that the studio can tell has a Chinese name in the window.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { RushesError } from "../../../contract/errors.ts";
import type { Gpu, Machine } from "../../../app/engine/addon.ts";
import { diagnosticFacts } from "../../../app/studio/diagnostics.ts";
import type { StudioCore } from "../../../app/studio/studio-core.ts";
import { factNames } from "../../../renderer/text/chinese/settings.ts";

const machine = (gpu: Gpu): Machine => ({
  cpu: { model: "A processor", cores: 2, isa: ["avx2"] },
  memory: { totalBytes: 8e9, freeBytes: 7e9 },
  residentBytes: 1e8,
  gpu,
  libraries: { OpenH264: "2.3.1", libvpx: "" },
});
const card: Gpu = { name: "A card", reason: "", architecture: "9.0", totalBytes: 8e9, driver: "13.0" };

test.each<[string, () => Machine]>([
  ["a card", () => machine(card)],
  ["a card that is not used", () => machine({ ...card, reason: "Its driver is too old.", advice: "Update it." })],
  ["no card", () => machine({ name: null, reason: "No NVIDIA driver is installed." })],
  [
    "no engine",
    () => {
      throw new RushesError("engine.internal");
    },
  ],
])("with %s", async (_what, call) => {
  const folder = mkdtempSync(join(tmpdir(), "rushes-facts-"));
  try {
    const files = { folder, logs: join(folder, "logs") };
    // What else a studio has is not asked for.
    const core = { files, engine: { call: async () => Promise.resolve().then(call) } } as unknown as StudioCore;
    const facts = await diagnosticFacts(core);
    expect(facts.length).toBeGreaterThan(4);
    expect(facts.map(({ name }) => name).filter((name) => !(name in factNames))).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
