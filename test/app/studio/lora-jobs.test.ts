// Jobs with LoRAs, from what a person wrote to the engine. Real history, queue, presets and engine process; the engine in it
// is the plumbing addon, which says what it was given.
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openModel } from "../../../app/library/open.ts";
import { muxVideo } from "../../../app/media/mp4.ts";
import { readSettings } from "../../../app/media/video-record.ts";
import { openStudio } from "../../../app/studio/open-studio.ts";
import type { Studio } from "../../../app/studio/studio.ts";
import { RushesError } from "../../../contract/errors.ts";
import type { Job } from "../../../contract/job.ts";
import type { Lora, Settings } from "../../../contract/settings/derive.ts";
import { runRushes } from "../cli/run-rushes.ts";
import { Plumbing } from "../engine/plumbing.ts";
import { encodedClip } from "../media/encoded-clip.ts";

let plumbing: Plumbing;
let studio: Studio;
beforeAll(() => void (plumbing = new Plumbing()));
afterAll(() => plumbing.remove());
beforeEach(async () => {
  plumbing.script({ stepMs: 20 });
  plumbing.clearNotes();
  rmSync(plumbing.library, { recursive: true, force: true });
  studio = await openStudio({ libraryFolder: plumbing.library });
});
afterEach(() => studio.close());

/** An empty file in the library's folder of LoRAs. */
const inLibrary = (name: string) => plumbing.file(join("library", "loras", name));
const lora = (file: string, strength = 1, expert: Lora["expert"] = "both"): Lora => ({ file, strength, expert });
const request = (...loras: Lora[]) => ({ prompt: "A red ball rolls", settings: { seed: 1, loras } });
const given = () => plumbing.notes().filter((note) => note.startsWith("lora"));

async function run(...loras: Lora[]): Promise<Job> {
  const { id } = await studio.enqueue(request(...loras));
  return studio.wait(id);
}

/** What a request is refused with, and that nothing came of it. */
async function refusal(...loras: Lora[]): Promise<RushesError> {
  const error: unknown = await studio.enqueue(request(...loras)).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(studio.list()).toEqual([]);
  expect(error).toBeInstanceOf(RushesError);
  return error as RushesError;
}

/** A model of two experts with a LoRA of its own. */
async function addExperts(): Promise<string> {
  const folder = join(plumbing.folder, "moving");
  for (const name of ["i2v-high.pth", "i2v-low.pth", "vae.pth", "umt5.pth", "loras/own-lora.safetensors"])
    plumbing.file(join("moving", name));
  const tokenizer = relative(folder, join(import.meta.dirname, "../../../models/demo/tokenizer.json"));
  const files = { dit: "i2v-high.pth", ditLow: "i2v-low.pth", vae: "vae.pth", textEncoder: "umt5.pth", tokenizer };
  const defaults = { width: 128, height: 128, numFrames: 17 };
  writeFileSync(
    join(folder, "manifest.json"),
    JSON.stringify({ name: "Moving", architecture: "wan2.2-i2v", ...files, defaults }),
  );
  await studio.installedModels.add(folder);
  return folder;
}

describe("where a LoRA is found", () => {
  test("in the library by its name, with and without its ending; the engine gets the file", async () => {
    const file = inLibrary("night-lora.safetensors");
    const job = await run(lora("night-lora", 0.8));
    expect(job).toMatchObject({ state: "done", settings: { loras: [lora(file, 0.8)] } });
    expect(given()).toEqual(["lora night-lora.safetensors 0.8 both"]);
    expect(plumbing.notes()).toContain("plan with night-lora.safetensors 0.8");
    expect((await studio.check(request(lora("night-lora.safetensors")))).settings.loras).toEqual([lora(file)]);
  });

  test("anywhere by its path", async () => {
    const file = plumbing.file("elsewhere/a lora.pth");
    expect((await studio.check(request(lora(file)))).settings.loras).toEqual([lora(file)]);
  });

  test("beside its model, after the library's own of that name", async () => {
    const folder = await addExperts();
    const own = join(folder, "loras", "own-lora.safetensors");
    const names = (await studio.installedModels.loras("moving")).map(({ name }) => name);
    expect(names).toEqual(["own-lora.safetensors"]);
    const ask = { ...request(lora("own-lora")), settings: { loras: [lora("own-lora")], model: "moving" } };
    const picture = join(import.meta.dirname, "../../../docs/demo-model.jpg");
    const settings: Partial<Settings> = { ...ask.settings, image: picture };
    expect((await studio.check({ ...ask, settings })).settings.loras).toEqual([lora(own)]);
    const first = inLibrary("own-lora.safetensors");
    expect((await studio.check({ ...ask, settings })).settings.loras).toEqual([lora(first)]);
    expect(await refusal(lora("other-lora"))).toMatchObject({ code: "lora.missing" });
  });

  test("from the current folder by the command line and the library, which is no place for other doors", async () => {
    const file = plumbing.file("here-lora.pth");
    const before = process.cwd();
    process.chdir(plumbing.folder);
    try {
      expect(await refusal(lora("here-lora.pth"))).toMatchObject({ code: "lora.missing" });
      await studio.close();
      const model = await openModel(plumbing.library, { name: "demo" }, []);
      for (const name of ["here-lora.pth", "./here-lora.pth", "library/../here-lora.pth"]) {
        const video = await model.generate("A red ball rolls", { seed: 1, loras: [lora(name)] });
        expect(video.settings["loras"], name).toEqual([lora(file)]);
      }
      await model.close();
    } finally {
      process.chdir(before);
    }
    studio = await openStudio({ libraryFolder: plumbing.library });
  });
});

describe("the command line", () => {
  const rushes = (...words: string[]) => {
    const { library, folder: cwd, environment } = plumbing;
    return runRushes([...words, "--json"], { library, cwd, environment });
  };

  test("takes several flags, a config file, and the rows of a list", async () => {
    const [night, day] = [inLibrary("night-lora.safetensors"), plumbing.file("day-lora.pth")];
    writeFileSync(join(plumbing.folder, "config.yaml"), "lora: [night-lora:0.25]\n");
    writeFileSync(
      join(plumbing.folder, "list.csv"),
      'prompt,loras\nA red ball,\nA blue ball,"night-lora:0.3,./day-lora.pth:-1"\nA green ball,none\n',
    );
    const made = async (...words: string[]) => {
      const { code, stdout, stderr } = await rushes("generate", ...words);
      expect(code, stderr).toBe(0);
      const { videos } = JSON.parse(stdout) as { videos: { settings: Settings }[] };
      return videos.map(({ settings }) => settings.loras);
    };
    expect(await made("A red ball", "--lora", "night-lora:0.5", "--loras=day-lora.pth")).toEqual([
      [lora(night, 0.5), lora(day)],
    ]);
    expect(await made("--prompts-file", "list.csv", "--config", "config.yaml")).toEqual([
      [lora(night, 0.25)],
      [lora(night, 0.3), lora(day, -1)],
      [],
    ]);
  });

  test("refuses with exit code 2 what it cannot use", async () => {
    for (const [file, sentence] of [
      ["./none.pth", `There is no LoRA ${join(plumbing.folder, "none.pth")}.`],
      ["none:5", "LoRA is a list of files with a strength from -2 to 2"],
    ] as const) {
      const { code, stdout } = await rushes("generate", "A red ball", "--loras", file);
      expect([code, stdout]).toEqual([2, expect.stringContaining(sentence)]);
    }
  });

  test("shows names, and what a flag comes to", async () => {
    const { stdout } = await rushes("settings", "--lora", "/far/away/night-lora.pth:0.5:high", "--lora", "b");
    const { settings } = JSON.parse(stdout) as { settings: { loras: { value: Lora[]; source: string } } };
    expect(settings.loras).toMatchObject({
      value: [lora("/far/away/night-lora.pth", 0.5, "high"), lora("b")],
      source: "flag",
    });
    const { library, environment } = plumbing;
    const table = await runRushes(["settings", "--lora", "/far/away/night-lora.pth:0.5"], { library, environment });
    expect(table.stdout).toMatch(/loras +night-lora\.pth:0\.5 +flag/);
  });
});

describe("refused before there is a job", () => {
  test("a file that is not there, with the place for it", async () => {
    for (const file of ["none", "none.safetensors", "/nowhere/none.pth", "../videos", "..", "a/b", "n".repeat(4000)])
      expect(await refusal(lora(file)), file).toMatchObject({
        code: "lora.missing",
        message: `There is no LoRA ${file}.`,
        advice: `Put its file into ${join(plumbing.library, "loras")} and name it, or check the path.`,
      });
  });

  test("a folder, a damaged file, one of another kind, and one for another model", async () => {
    inLibrary("corrupt-lora.safetensors");
    inLibrary("some-vae.pth");
    inLibrary("foreign-lora.safetensors");
    inLibrary("refused-lora.safetensors");
    mkdirSync(join(plumbing.folder, "folder-lora"), { recursive: true });
    const codes = [
      ["corrupt-lora", "checkpoint.corrupt", "corrupt-lora.safetensors is damaged."],
      ["some-vae.pth", "checkpoint.unsupported", "some-vae.pth is a Wan VAE, and a LoRA is needed."],
      ["foreign-lora", "checkpoint.unsupported", "foreign-lora.safetensors is a LoRA for another model: width."],
      ["refused-lora", "checkpoint.unsupported", "refused-lora.safetensors cannot be used: it is of another kind."],
      [
        join(plumbing.folder, "folder-lora"),
        "checkpoint.unsupported",
        `${join(plumbing.folder, "folder-lora")} is a folder, not a file.`,
      ],
    ] as const;
    for (const [file, code, message] of codes) expect(await refusal(lora(file))).toMatchObject({ code, message });
  });

  test("a strength out of range, whoever asks", async () => {
    inLibrary("night-lora.safetensors");
    for (const strength of [2.5, -3, Number.NaN, Infinity])
      expect(await refusal(lora("night-lora", strength))).toMatchObject({ code: "settings.invalid" });
  });

  test("an expert that the model does not have", async () => {
    inLibrary("night-lora.safetensors");
    expect(await refusal(lora("night-lora", 1, "high"))).toMatchObject({
      code: "settings.invalid",
      message: "LoRA night-lora is for the high-noise expert, and Demo has one transformer for all steps.",
      advice: "Leave its expert at both.",
    });
  });

  test("the same file twice, also by another name", async () => {
    const file = inLibrary("night-lora.safetensors");
    symlinkSync(file, join(plumbing.folder, "link-lora.pth"));
    for (const other of ["night-lora", file, join(plumbing.folder, "link-lora.pth")])
      expect(await refusal(lora("night-lora"), lora(other, 0.5)), other).toMatchObject({
        code: "settings.invalid",
        message: expect.stringMatching(/lora\.(safetensors|pth) is given twice\.$/) as string,
      });
    rmSync(join(plumbing.folder, "link-lora.pth"));
  });

  test("but not once for each expert", async () => {
    await addExperts();
    const picture = join(import.meta.dirname, "../../../docs/demo-model.jpg");
    const settings = (...loras: Lora[]): Partial<Settings> => ({ model: "moving", image: picture, loras });
    const ask = (...loras: Lora[]) => studio.check({ prompt: "A red ball rolls", settings: settings(...loras) });
    const both = [lora("own-lora", 1, "high"), lora("own-lora", 0.5, "low")];
    expect((await ask(...both)).settings.loras.map(({ strength }) => strength)).toEqual([1, 0.5]);
    await expect(ask(both[0]!, lora("own-lora", 1, "high"))).rejects.toMatchObject({
      message: "LoRA own-lora.safetensors is given twice for the high-noise expert.",
    });
    await expect(ask(both[0]!, lora("own-lora"))).rejects.toMatchObject({ code: "settings.invalid" });
  });
});

describe("a job", () => {
  test("that continues after the engine's end has the same, and is decoded again without any", async () => {
    const file = inLibrary("night-lora.safetensors");
    plumbing.script({ stepMs: 20, crashInStep: 3 });
    const job = await run(lora("night-lora", -0.5), lora(inLibrary("day-lora.pth"), 0));
    expect(job).toMatchObject({ state: "done", attempts: 2, resumedFromStep: 2 });
    const once = ["lora night-lora.safetensors -0.5 both", "lora day-lora.pth 0 both"];
    expect(given()).toEqual([...once, ...once]);
    rmSync(file);
    plumbing.clearNotes();
    const again = await studio.decodeAgain(job.id);
    expect(await studio.wait(again.id)).toMatchObject({ state: "done", kind: "decode" });
    expect(plumbing.notes().filter((note) => note.includes("lora"))).toEqual([]);
  });

  test("whose file went after it was accepted fails with its name, and runs when it is back", async () => {
    const file = inLibrary("night-lora.safetensors");
    studio.queue.pause();
    const { id } = await studio.enqueue(request(lora("night-lora")));
    renameSync(file, `${file}.away`);
    studio.queue.resume();
    expect(await studio.wait(id)).toMatchObject({
      state: "failed",
      error: {
        code: "lora.missing",
        sentence: "The LoRA night-lora.safetensors of this job is gone.",
        advice: "Put its file back where it was and try the job again.",
      },
    });
    renameSync(`${file}.away`, file);
    studio.again(id);
    expect(await studio.wait(id)).toMatchObject({ state: "done", settings: { loras: [lora(file)] } });
  });

  test("keeps them while its plan is lowered for a full memory", async () => {
    inLibrary("night-lora.safetensors");
    const plans = [{ peakBytes: 1000 }, { peakBytes: 600, resident: false }];
    plumbing.script({ stepMs: 20, plans, full: { step: 2, freeBytes: 700 } });
    const job = await run(lora("night-lora"));
    expect(job).toMatchObject({ state: "done", lowered: { changes: ["partByPart"] } });
    expect(given()).toHaveLength(2);
    const plansMade = plumbing.notes().filter((note) => note.startsWith("plan with"));
    expect(plansMade.length).toBeGreaterThan(3);
  });

  test("can be changed while it waits", async () => {
    inLibrary("night-lora.safetensors");
    studio.queue.pause();
    const { id } = await studio.enqueue(request());
    const edited = await studio.queue.edit(id, {
      values: { prompt: "A red ball", loras: [lora("night-lora", 2)] },
    });
    expect(edited.settings.loras).toEqual([lora(join(plumbing.library, "loras", "night-lora.safetensors"), 2)]);
  });
});

describe("the form", () => {
  const check = (loras: readonly Lora[], more: object = {}) =>
    studio.form.check({ values: { prompt: "A red ball", loras }, ...more });

  test("plans with them, and shows what is wrong at the field", async () => {
    inLibrary("night-lora.safetensors");
    const good = await check([lora("night-lora")]);
    expect(good).toMatchObject({ problems: [], refusal: null, settings: { loras: [lora("night-lora")] } });
    expect(good.hidden).not.toContain("loras");
    expect(plumbing.notes()).toContain("plan with night-lora.safetensors 1");
    inLibrary("foreign-lora.pth");
    for (const bad of [lora("none"), lora("night-lora", 1, "low"), lora("night-lora", 9), lora("foreign-lora.pth")]) {
      const answer = await check([bad]);
      expect(answer.problems.map(({ id }) => id)).toEqual(["loras"]);
      expect(answer.refusal).toBeNull();
      expect(answer.plan).not.toBeNull();
    }
  });

  test("takes names, and paths only where its door allows them, wherever they stand", async () => {
    const file = plumbing.file("elsewhere-lora.pth");
    const elsewhere = { loras: [lora(file)] };
    const presetId = await studio.presets.save("Elsewhere", elsewhere);
    const { id: imported } = await studio.presets.import("other.json", JSON.stringify(elsewhere));
    const config = join(plumbing.library, "config.yaml");
    const refused = [{ id: "loras", sentence: "This file or folder may not be used from here." }];
    const drafts = [
      { values: { prompt: "A red ball", ...elsewhere } },
      { values: { prompt: "A red ball" }, presetId },
      { values: { prompt: "A red ball" }, presetId: imported },
    ];
    for (const draft of drafts) {
      expect((await studio.form.check(draft)).problems).toMatchObject(refused);
      await expect(studio.queue.add([draft])).rejects.toMatchObject({ code: "path.refused" });
    }
    writeFileSync(config, JSON.stringify(elsewhere));
    const plain = { values: { prompt: "A red ball" } };
    expect((await studio.form.check(plain)).problems).toMatchObject(refused);
    const asked: string[] = [];
    const allowedPath = async (path: string) => Promise.resolve(path).finally(() => asked.push(path));
    expect((await studio.form.check({ ...plain, allowedPath })).problems).toEqual([]);
    expect(asked).toEqual([file]);
    rmSync(config);
    for (const path of [inLibrary("night-lora.pth"), join(plumbing.library, "videos", "..", "loras", "night-lora.pth")])
      expect((await check([lora(path)])).problems, path).toEqual([]);
    for (const path of [
      join(plumbing.library, "loras", "..", "..", "elsewhere-lora.pth"),
      join(plumbing.library, "loras", "deeper", "elsewhere-lora.pth"),
      "./elsewhere-lora.pth",
      "loras/night-lora.pth",
    ])
      expect((await check([lora(path)])).problems, path).toMatchObject(refused);
  });

  test("gives the line that makes the same video from a terminal", async () => {
    const file = inLibrary("night, late lora.safetensors");
    const values = { prompt: "A red ball", loras: [lora("night, late lora", 0.5)] };
    expect(await studio.form.command({ draft: { values } })).toContain(`--loras 'night\\, late lora:0.5'`);
    const job = await run(lora("night, late lora"));
    expect(await studio.form.command({ jobId: job.id })).toContain(`--loras '${file.replace(",", "\\,")}:1'`);
  });

  test("lists what can be chosen by name", async () => {
    inLibrary("b-lora.pth");
    inLibrary("a-lora.safetensors");
    inLibrary("some-vae.pth");
    inLibrary("notes.txt");
    inLibrary(".hidden-lora.pth");
    const listed = await studio.installedModels.loras("auto");
    const entry = (name: string) => ({
      name,
      path: join(plumbing.library, "loras", name),
      bytes: 1,
      rank: 4,
      problem: null,
    });
    const problem = "some-vae.pth is a Wan VAE, and a LoRA is needed.";
    expect(listed.filter(({ name }) => /lora\.|vae/.test(name))).toEqual([
      entry("a-lora.safetensors"),
      entry("b-lora.pth"),
      { ...entry("some-vae.pth"), bytes: 0, rank: null, problem },
    ]);
    expect(listed.map(({ name }) => name)).not.toContain("notes.txt");
    rmSync(join(plumbing.library, "loras"), { recursive: true });
    expect((await studio.installedModels.loras("wan9")).map(({ name }) => name)).toEqual([]);
  });
});

describe("what others see", () => {
  test("a video names its LoRAs without their folders, and a library that has them finds them", async () => {
    const file = inLibrary("night-lora.safetensors");
    const job = await run(lora(plumbing.file("elsewhere/other-lora.pth"), 0.5), lora("night-lora"));
    const record = await readSettings(job.video!.path);
    expect(record?.settings["loras"]).toEqual([lora("other-lora.pth", 0.5), lora("night-lora.safetensors")]);
    const restored = await studio.form.restoreVideo(job.video!.path);
    expect(restored.settings.loras).toEqual([lora(file)]);
    expect(restored.notes).toEqual([
      `The LoRA other-lora.pth is not here; put it into ${join(plumbing.library, "loras")}.`,
    ]);
  });

  test("a video made by somebody else leads to no other place than the folders of LoRAs", async () => {
    const file = inLibrary("night-lora.safetensors");
    plumbing.file("secret-lora.pth");
    const loras = [
      lora("../../secret-lora.pth"),
      lora(join(plumbing.folder, "secret-lora.pth")),
      lora("/etc/.."),
      lora("C:\\styles\\night-lora.safetensors", -1),
    ];
    const form = { width: 64, height: 64, frameRate: 16 };
    const record = { rushes: 1, job: "another", model: "../../etc", settings: { loras } } as const;
    const path = join(plumbing.folder, "foreign.mp4");
    writeFileSync(path, await muxVideo(encodedClip(64, 64, 5), form, record));
    const { settings, notes } = await studio.form.restoreVideo(path);
    expect(settings.loras).toEqual([lora(file, -1)]);
    expect(notes.filter((note) => note.includes("LoRA secret-lora.pth is not here"))).toHaveLength(2);
  });

  test("a preset that is given away does so too, and one's own keeps the path", async () => {
    const file = plumbing.file("elsewhere/other-lora.pth");
    const id = await studio.presets.save("Mine", { loras: [lora(file, 0.5)] });
    expect(studio.presets.settingsOf(id)).toEqual({ loras: [lora(file, 0.5)] });
    const { text } = studio.presets.export(id);
    expect(text).not.toContain("elsewhere/");
    expect(JSON.parse(text)).toMatchObject({ settings: { loras: [lora("other-lora.pth", 0.5)] } });
    const deleted = await studio.presets.delete(id);
    expect(deleted).toContain(file);
  });
});

test("a LoRA among models is called one, and what to do with it is said", async () => {
  const file = plumbing.file("downloads/night-lora.safetensors");
  const advice = expect.stringMatching(/^A LoRA, not a model\. Put it into the folder loras of the library/) as string;
  await expect(studio.installedModels.add(file)).rejects.toMatchObject({
    code: "checkpoint.unsupported",
    message: "night-lora.safetensors is no part of a model Rushes knows.",
    advice,
  });
  const folder = await addExperts();
  const { notes, models } = await studio.installedModels.add(folder);
  expect(notes.find(({ path }) => path.endsWith("own-lora.safetensors"))?.note).toEqual(advice);
  expect(models.map(({ state }) => state)).toEqual(["ready"]);
});
