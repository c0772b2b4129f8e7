// A library's presets: kept in files that anybody may edit, under names that anybody may type.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fittingPreset, PresetStore } from "../../../app/presets/preset-store.ts";
import { readPreset } from "../../../app/settings/presets.ts";
import { requestOfDraft } from "../../../app/studio/draft-request.ts";
import { builtInPresets } from "../../../contract/settings/presets.ts";

let library = "";
let store: PresetStore;
let changes = 0;
beforeEach(() => {
  library = mkdtempSync(join(tmpdir(), "rushes-presets-"));
  changes = 0;
  store = new PresetStore(library, () => void changes++);
});
afterEach(() => rmSync(library, { recursive: true, force: true }));

const surroundings = { gpuMemory: null, missingModel: () => null };
const own = () => store.list(surroundings).filter(({ builtIn }) => !builtIn);
const names = () => own().map(({ name }) => name);
const folder = () => join(library, "presets");
const write = (name: string, content: string | Uint8Array) => {
  mkdirSync(folder(), { recursive: true });
  writeFileSync(join(folder(), name), content);
};

describe("the built-in ones", () => {
  test("come first and cannot be changed", async () => {
    await store.save("Mine", {});
    const ids = store.list(surroundings).map(({ id }) => id);
    expect(ids).toEqual([...builtInPresets.map(({ id }) => id), "Mine"]);
    for (const change of [() => store.rename("cpu", "x"), () => store.delete("CPU"), () => store.replace("draft", {})])
      await expect(change()).rejects.toMatchObject({ code: "preset.builtin" });
  });
  test.each([
    [null, "cpu"],
    [8, "1.3b-480p"],
    [16, "1.3b-720p"],
    [23.6, "14b-480p"],
    [24, "14b-480p"],
    [39.9, "14b-480p"],
    [40, "14b-720p"],
    [139, "14b-720p"],
  ])("with %s GiB of GPU memory the fitting one is %s", (gpuMemory, id) => {
    expect(fittingPreset(gpuMemory)).toBe(id);
    const marked = store.list({ ...surroundings, gpuMemory }).filter(({ fits }) => fits);
    expect(marked.map((preset) => preset.id)).toEqual([id]);
  });
  test("say which model they lack", () => {
    const presets = store.list({ gpuMemory: null, missingModel: (name) => `${name} is not here.` });
    const sentence = (id: string) => presets.find((preset) => preset.id === id)?.unavailable;
    expect(sentence("1.3b-480p")).toBe("wan2.1-1.3b is not here.");
    expect(sentence("i2v-720p")).toBe("wan2.2-a14b is not here.");
    expect(sentence("quality")).toBeNull();
  });
});

describe("one's own", () => {
  test("are saved, changed, renamed, copied, ordered, deleted and brought back", async () => {
    const first = await store.save("Evening", { slaTopk: 0.2, prompt: "a sunset" });
    const second = await store.save("Morning", { numSteps: 2 });
    expect(own()).toMatchObject([
      { id: first, name: "Evening", builtIn: false, settings: { slaTopk: 0.2, prompt: "a sunset" }, unavailable: null },
      { id: second, name: "Morning", settings: { numSteps: 2 } },
    ]);
    await store.replace(first, { slaTopk: 0.3 });
    await store.rename(first, "Dusk");
    expect(await store.duplicate(first)).toBe("Dusk 2");
    expect(names()).toEqual(["Dusk", "Dusk 2", "Morning"]);
    await store.reorder([second]);
    expect(names()).toEqual(["Morning", "Dusk", "Dusk 2"]);
    await store.setDefault(first);
    const text = await store.delete(first);
    expect(names()).toEqual(["Morning", "Dusk 2"]);
    const { id, notes } = await store.import(`${first}.json`, text);
    expect([id, notes]).toEqual([first, []]);
    expect(own().map(({ name, isDefault }) => [name, isDefault])).toEqual([
      ["Morning", false],
      ["Dusk", true],
      ["Dusk 2", false],
    ]);
    expect(own()[1]?.settings).toEqual({ slaTopk: 0.3 });
    expect(new PresetStore(library).list(surroundings)).toEqual(store.list(surroundings));
    expect(changes).toBe(9);
    expect(readdirSync(folder()).filter((name) => name.endsWith(".partial"))).toEqual([]);
  });
  test("are what --preset names, by file and by name", async () => {
    const id = await store.save("Wide/Calm", { numSteps: 3 });
    await store.rename(id, "Calm & wide");
    for (const name of [id, "Calm & wide", "CALM & WIDE"])
      expect(readPreset(name, library)).toEqual({ values: { numSteps: 3 }, files: {} });
  });
  test("copies of built-in ones", async () => {
    await store.duplicate("quality");
    await store.duplicate("quality");
    expect(own()).toMatchObject([
      { name: "Quality 2", settings: { slaTopk: 0.15, sigmaMax: 90 } },
      { name: "Quality 3" },
    ]);
  });
  test("changes made at once are all made", async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, () => store.save("Same", { numSteps: 1 })));
    expect(new Set(ids).size).toBe(20);
    await Promise.all(ids.map((id) => store.delete(id)));
    expect(own()).toEqual([]);
  });
  test("unusable values are refused and nothing is written", async () => {
    await expect(store.save("X", { numSteps: 99 })).rejects.toMatchObject({ code: "settings.invalid" });
    await expect(store.save("X", { sede: 1 } as object)).rejects.toMatchObject({ code: "settings.unknown" });
    expect(own()).toEqual([]);
  });
  test("what is not there is preset.unknown, and no id reaches outside the folder", async () => {
    writeFileSync(join(library, "outside.json"), "{}");
    for (const id of ["none", "../outside", "..\\outside", "/etc/passwd", ".order", "", "x".repeat(5000)])
      for (const change of [() => store.delete(id), () => store.rename(id, "n"), () => store.setDefault(id)])
        await expect(change()).rejects.toMatchObject({ code: "preset.unknown" });
    expect(() => store.export("../outside")).toThrow(expect.objectContaining({ code: "preset.unknown" }));
    expect(store.settingsOf("../outside")).toBeNull();
    expect(existsSync(join(library, "outside.json"))).toBe(true);
  });
});

describe("hostile names", () => {
  test.each([
    ["../../etc/passwd", "../../etc/passwd"],
    ["..", ".."],
    ["a/b\\c:d", "a/b\\c:d"],
    ["CON", "CON"],
    ["nul.txt", "nul.txt"],
    [".order", ".order"],
    ["🎬👩‍🚀", "🎬👩‍🚀"],
    ["中文预设", "中文预设"],
    ["two\nlines\u202e\0", "two lines"],
    ["trailing. . ", "trailing. ."],
    ["cpu", "cpu 2"],
    ["x".repeat(100), "x".repeat(100)],
    ["𠮷".repeat(100), "𠮷".repeat(100)],
  ])("%j", async (name, shown) => {
    const id = await store.save(name, { numSteps: 2 });
    expect(own()).toMatchObject([{ id, name: shown, settings: { numSteps: 2 } }]);
    const [file, ...others] = readdirSync(folder()).filter((each) => each !== ".order.json");
    expect(others).toEqual([]);
    expect(file).toMatch(/^[^./\\:][^/\\:]*\.json$/);
    expect(Buffer.byteLength(file ?? "")).toBeLessThanOrEqual(140);
    expect(file).not.toMatch(/^(con|nul)[.]/i);
    await store.delete(id);
    expect(own()).toEqual([]);
  });
  test.each(["", "   ", "\u200b", "x".repeat(300)])("%.10j is refused", async (name) => {
    await expect(store.save(name, {})).rejects.toMatchObject({ code: "settings.invalid" });
  });
  test("names that differ in case only get files that differ in more", async () => {
    await store.save("Look", {});
    await store.save("LOOK", {});
    expect(names()).toEqual(["Look", "LOOK 2"]);
    const files = readdirSync(folder()).map((name) => name.toLowerCase());
    expect([...new Set(files)].sort()).toEqual([".order.json", "look 2.json", "look.json"].sort());
  });
});

describe("files changed by hand", () => {
  test("are shown as they are and break nothing", async () => {
    await store.save("Good", { numSteps: 2 });
    write("broken.json", "{");
    write("unknown.json", '{"catalogueVersion": 1, "settings": {"colour": "red"}}');
    write("newer.json", '{"catalogueVersion": 99, "settings": {}}');
    write("bare.json", '{"num_steps": 3, "quant_linear": true}');
    write("Quality.json", '{"name": "My quality", "catalogueVersion": 1, "settings": {"slaTopk": 0.4}}');
    write("notes.txt", "not a preset");
    mkdirSync(join(folder(), "folder.json"));
    const found = Object.fromEntries(own().map((preset) => [preset.id, preset]));
    expect(Object.keys(found).sort()).toEqual(
      ["Good", "Quality.json", "bare", "broken", "folder", "newer", "unknown"].sort(),
    );
    expect(found["bare"]).toMatchObject({ settings: { numSteps: 3, quantLinear: "int8" }, broken: false });
    expect(found["broken"]).toMatchObject({ settings: {}, broken: true, unavailable: /is not JSON/ });
    expect(found["unknown"]?.unavailable).toMatch(/no setting called "colour"/);
    expect(found["newer"]?.unavailable).toMatch(/not a preset of this version/);
    expect(found["Quality.json"]).toMatchObject({ name: "My quality", settings: { slaTopk: 0.4 } });
    expect(store.settingsOf("Quality.json")).toEqual({ slaTopk: 0.4 });
    expect(store.settingsOf("broken")).toBeNull();
    expect(await store.delete("broken")).toBe("{");
    expect(readdirSync(folder())).toContain("broken.json.broken");
    await expect(store.rename("newer", "x")).rejects.toMatchObject({ code: "settings.unreadable" });
    expect(own()).toHaveLength(6);
  });
  test("one that is not UTF-8 is told, and can be deleted", async () => {
    write("look.json", Buffer.concat([Buffer.from('{"name": "'), Buffer.of(0xc7, 0xf2), Buffer.from('"}')]));
    expect(own()[0]).toMatchObject({ id: "look", broken: true, unavailable: /is not UTF-8 text/ });
    expect(await store.delete("look")).toMatch(/^\{"name": "/);
    expect(own()).toEqual([]);
  });
  test.each(["{", "[]", '{"order": 5, "default": {}}', '{"order": ["gone", "b"], "default": "gone"}'])(
    "an order file of %s",
    async (text) => {
      await store.save("a", {});
      await store.save("b", {});
      write(".order.json", text);
      expect(names().sort()).toEqual(["a", "b"]);
      await store.reorder(["b", "a", "b", "none"]);
      expect(names()).toEqual(["b", "a"]);
    },
  );
});

test("a preset holds no picture, however it came about: a form's picture is what its door allows", async () => {
  const settings = { mode: "i2v", image: "/home/somebody/secret.png", numSteps: 2 } as const;
  const imported = await store.import("secret.json", JSON.stringify(settings));
  expect(imported.notes).toEqual(["image is a path, which a preset does not hold."]);
  const saved = await store.save("saved", settings);
  const replaced = await store.replace(await store.save("replaced", {}), settings);
  writeFileSync(join(library, "presets", "by-hand.json"), JSON.stringify(settings));
  for (const id of [imported.id, saved, replaced, "by-hand"]) {
    expect(store.settingsOf(id), id).toEqual({ mode: "i2v", numSteps: 2 });
    const { settings: asked } = await requestOfDraft({ values: { prompt: "a ball" }, presetId: id }, library);
    expect(asked, id).not.toHaveProperty("image");
  }
});

describe("import and export", () => {
  test("what is exported can be imported elsewhere", async () => {
    const id = await store.save("Ünïcode 🎬", { sigmaMax: 120, loras: [] });
    const { fileName, text } = store.export(id);
    const other = new PresetStore(join(library, "other"));
    const imported = await other.import(fileName, text);
    expect(imported.notes).toEqual([]);
    expect(other.settingsOf(imported.id)).toEqual({ sigmaMax: 120, loras: [] });
    expect(other.export(imported.id)).toEqual({ fileName, text });
    expect(JSON.parse(store.export("draft").text)).toMatchObject({ name: "Draft", settings: { numSteps: 2 } });
  });
  test("TurboDiffusion's config.yaml, with a word on what is no setting", async () => {
    const text =
      "model:\n  quant_linear: true\n  attention_type: sagesla\n  sla_topk: 0.15\n  dit_path: a.pth\nweird: 1\n";
    const { id, notes } = await store.import("config.yaml", text);
    expect(store.settingsOf(id)).toEqual({ quantLinear: "int8", attentionType: "sagesla", slaTopk: 0.15 });
    expect(notes).toEqual(["dit_path is a path, which a preset does not hold.", 'There is no setting called "weird".']);
    expect(names()).toEqual(["config"]);
  });
  test("a newer version's preset gives what is known", async () => {
    const text = JSON.stringify({ name: "N", catalogueVersion: 9, settings: { numSteps: 2, later: 1, slaTopk: 7 } });
    const { id, notes } = await store.import("../../x/n.json", text);
    expect(store.settingsOf(id)).toEqual({ numSteps: 2 });
    expect(notes).toHaveLength(3);
    expect(readFileSync(join(folder(), "n.json"), "utf8")).toContain('"name": "N"');
  });
  test.each([
    ["x.json", "{"],
    ["x.json", "[1]"],
    ["x.yaml", "- a\n- b"],
    ["x.yaml", "a: ["],
    ["x.json", '{"settings": 5}'],
  ])("%s %j is refused and leaves nothing", async (fileName, text) => {
    await expect(store.import(fileName, text)).rejects.toMatchObject({ code: "settings.unreadable" });
    expect(own()).toEqual([]);
  });
});
