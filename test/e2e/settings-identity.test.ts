// A setting keeps its value on the whole way: flags, preset file, the database's JSON, the addon's struct and back.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { normaliseArguments } from "../../app/cli/arguments.ts";
import { flagValues } from "../../app/cli/setting-flags.ts";
import { EngineClient } from "../../app/engine/client.ts";
import { readPreset } from "../../app/settings/presets.ts";
import { catalogueVersion } from "../../contract/settings/catalogue.ts";
import { allSettings, defaultSettings, engineSettings, type Settings } from "../../contract/settings/derive.ts";
import { formatValue, settingIdOf, snakeCase } from "../../contract/settings/flags.ts";

const folder = mkdtempSync(join(tmpdir(), "rushes-identity-"));
const engine = new EngineClient();
afterAll(async () => {
  await engine.close();
  rmSync(folder, { recursive: true, force: true });
});

/** As TurboDiffusion would write them, and read back the way the command line reads its flags. */
function throughFlags(settings: Partial<Settings>): Partial<Settings> {
  const words = allSettings
    .filter(({ id }) => settings[id] !== undefined && settings[id] !== null && settings[id] !== "")
    .map((setting) => `--${snakeCase(setting.id)}=${formatValue(setting, settings[setting.id])}`)
    .filter((word) => word !== "--loras=none");
  const options = normaliseArguments(words).map((word) => {
    const [name = "", ...value] = word.slice(2).split("=");
    return [settingIdOf(name) ?? name, value.join("=")];
  });
  return flagValues(Object.fromEntries(options) as Record<string, string>).values;
}

function throughPreset(settings: Partial<Settings>): Partial<Settings> {
  const file = join(folder, "round.json");
  writeFileSync(file, JSON.stringify({ name: "round", catalogueVersion, settings }));
  return readPreset(file, folder).values;
}

const sized = { width: 832, height: 480, seed: 7 };
const others: Partial<Settings> = {
  ...{ width: 64, height: 1024, numFrames: 5, numSteps: 1, seed: 9007199254740991, slaTopk: 0.37, sigmaMax: 1600 },
  ...{ ode: true, defaultNorm: true, precision: "fp32", device: "reference", threads: 3, memoryBudget: 2.5 },
  ...{ quantLinear: "int8", attentionType: "sla", textEncoderFormat: "16-bit", vaeTiling: "on", quality: 1 },
};

describe("default -> flags -> preset -> database -> addon -> echo", () => {
  test.each<[string, Partial<Settings>]>([
    ["defaults", { ...defaultSettings(), ...sized }],
    ["other values", others],
  ])("%s", async (_which, settings) => {
    const wanted = engineSettings(settings);
    expect(engineSettings(throughFlags(settings))).toEqual(wanted);
    const stored = JSON.parse(JSON.stringify(throughPreset(throughFlags(settings)))) as Partial<Settings>;
    expect(engineSettings(stored)).toEqual(wanted);
    expect(await engine.call("echo", [engineSettings(stored)])).toMatchObject(wanted);
  });
  test("every choice of every field of the struct", async () => {
    for (const setting of allSettings) {
      if (!setting.engine || setting.kind !== "choice") continue;
      for (const { id } of setting.choices)
        expect(await engine.call("echo", [{ [setting.id]: id }])).toMatchObject({ [setting.id]: id });
    }
  });
  test("the struct has the catalogue's fields and defaults, and no others", async () => {
    const echo = await engine.call("echo", [{}]);
    const fields = allSettings.filter(({ engine: isField }) => isField);
    expect(Object.keys(echo).sort()).toEqual(fields.map(({ id }) => id).sort());
    expect(echo).toMatchObject({ ...engineSettings(defaultSettings()), width: 832, height: 480, seed: 0 });
  });
});
