// Answers the models' channels from the studio's models, and lists folders for doors without a native dialog.
import { readdir, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import type { ModelChannels } from "../../contract/channels/models.ts";
import { RushesError } from "../../contract/errors.ts";
import type { Studio } from "../studio/studio.ts";
import type { Door } from "./door.ts";
import type { HandlersOf } from "./handlers.ts";

type Browsed = ModelChannels["models:browse"]["reply"];

/** Entries of one folder that are given; nobody chooses among more. */
const mostEntries = 5000;

export function modelChannels(studio: Studio): HandlersOf<ModelChannels> {
  const { installedModels: models } = studio;
  return {
    "models:list": async () => ({ models: await models.list(), folders: models.folders() }),
    "models:add": async ({ path }, door) => models.add(await door.allowedPath(path)),
    "models:forget": async (request) => {
      await models.forget(request);
      return {};
    },
    "models:loras": async ({ model }) => ({ loras: await models.loras(model), folder: studio.files.loras }),
    "models:inspect": async ({ path }, door) => ({ report: await models.report(await door.allowedPath(path)) }),
    "models:browse": ({ folder }, door) => browse(folder, door),
  };
}

/** null: the roots, or the home folder of a door that may go anywhere. */
async function browse(asked: string | null, door: Door): Promise<Browsed> {
  if (asked === null && door.roots.length > 0) {
    const entries = door.roots.map((path) => ({ name: basename(path) || path, path, isFolder: true, bytes: 0 }));
    return { folder: null, parent: null, entries };
  }
  const folder = await door.allowedPath(asked ?? homedir());
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new RushesError("file.unreadable", { sentence: `The folder ${folder} cannot be read.`, cause });
  });
  const shown = names.filter((name) => !name.startsWith(".")).slice(0, mostEntries);
  const entries = await Promise.all(
    shown.map(async (name) => {
      const path = join(folder, name);
      const facts = await stat(path).catch(() => null);
      return facts && { name, path, isFolder: facts.isDirectory(), bytes: facts.isFile() ? facts.size : 0 };
    }),
  );
  const there = entries.filter((entry) => entry !== null);
  there.sort((one, other) => Number(other.isFolder) - Number(one.isFolder) || one.name.localeCompare(other.name));
  return { folder, parent: await parentOf(folder, door), entries: there };
}

/** null at a root: above it there is nothing this door may see. */
async function parentOf(folder: string, door: Door): Promise<string | null> {
  const parent = dirname(folder);
  if (parent === folder) return null;
  return door.allowedPath(parent).catch(() => null);
}
