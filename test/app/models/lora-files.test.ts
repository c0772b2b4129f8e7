// A LoRA's name means one file, whoever asks: the list that people choose from, and the job that looks for it.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { listLoras, namedLora } from "../../../app/models/lora-files.ts";

test("a name means the file that the list shows for it, deep in the library before beside the model", async () => {
  const root = mkdtempSync(join(tmpdir(), "rushes-loras-"));
  const place = (...parts: string[]) => {
    const path = join(root, ...parts);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, "");
    return path;
  };
  try {
    const own = place("library", "styles", "night.safetensors");
    const upper = place("library", "day.safetensors");
    place("library", "styles", "day.safetensors");
    place("model", "night.safetensors");
    const shipped = place("model", "dusk.pth");
    const folders = [join(root, "library"), join(root, "model")];
    // What the files hold does not matter here: each is shown with its problem.
    const listed = await listLoras(folders, () => Promise.reject(new Error("not looked at")));
    expect(listed.map(({ path }) => path).sort()).toEqual([upper, own, shipped].sort());
    for (const { name, path } of listed) expect(await namedLora(name, folders), name).toBe(path);
    expect(await namedLora("night", folders)).toBe(own);
    expect(await namedLora("gone", folders)).toBeNull();
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
