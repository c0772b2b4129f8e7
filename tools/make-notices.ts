// Writes out/THIRD-PARTY-NOTICES.txt: the names, versions and licences of all that an installer carries from others, but for
// Electron, which brings its own. electron-builder's hook calls it (before-pack.ts); by hand: node tools/make-notices.ts.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** One part of an installer that somebody else made. */
export interface Notice {
  name: string;
  version?: string | undefined;
  /** As its maker says it, "MIT". */
  licence?: string | undefined;
  /** Where its source can be had, for licences that ask that this be said. */
  source?: string | undefined;
  text: string;
}

/** Below a project's folder; an installer has it beside the program. */
export const noticesFile = "out/THIRD-PARTY-NOTICES.txt";

const licenceFiles = /^(licen[cs]e|copying|notice)/i;
/** They ask for the source's address. */
const sharesAlike = /\b(MPL|LGPL)\b/;
/** sharp's other forms are not packed (electron-builder.yml). */
const leftOut = /\/@img\/sharp-(?!wasm32)/;
/** Headers that the addon is compiled with. */
const compiledIn = ["node_modules/node-addon-api", "node_modules/node-api-headers"];
/** Linked or compiled into the addon, by the packages of Debian that say under which terms. */
const nativeParts = { OpenH264: "libopenh264-dev", libvpx: "libvpx-dev", "nlohmann-json": "nlohmann-json3-dev" };
/** What holds libraries of others inside, and names them and their licences on its page. */
const webAssemblyPictures = "@img/sharp-wasm32";

/** The packages that run beside the archive's own files, each as it lies in node_modules. */
export function packageNotices(root: string): Notice[] {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>;
  };
  const run = Object.entries(packages).filter(
    ([place, { dev, devOptional }]) => place !== "" && !dev && !devOptional && !leftOut.test(place),
  );
  return [...new Set([...run.map(([place]) => place), ...compiledIn])].map((place) => packageNotice(join(root, place)));
}

function packageNotice(folder: string): Notice {
  const manifest = join(folder, "package.json");
  if (!existsSync(manifest)) throw new Error(`${folder} is not there; \`npm ci\` installs it.`);
  const { name, version, license, repository } = JSON.parse(readFileSync(manifest, "utf8")) as {
    name: string;
    version: string;
    license?: string;
    repository?: string | { url: string };
  };
  const files = readdirSync(folder).filter((file) => licenceFiles.test(file));
  if (files.length === 0) throw new Error(`${folder} has no licence; find its text before it is packed.`);
  const texts = files.sort().map((file) => readFileSync(join(folder, file), "utf8"));
  if (name === webAssemblyPictures) texts.push(...picturesTexts(folder));
  const address = typeof repository === "string" ? repository : repository?.url;
  const own = address?.replace(/^git\+|\.git$/g, "");
  const source =
    name === webAssemblyPictures ? `${own}, libraries inside: https://github.com/lovell/sharp-libvips` : own;
  return {
    name,
    version,
    licence: license,
    source: sharesAlike.test(license ?? "") ? source : undefined,
    text: texts.map((text) => text.trim()).join("\n\n"),
  };
}

/** libvips and its libraries: which, of which versions, and the two licences that its own page only names. */
function picturesTexts(folder: string): string[] {
  const own = ["README.md", "versions.json"].map((file) => readFileSync(join(folder, file), "utf8"));
  return [...own, ...["LGPL-3", "GPL-3"].map((name) => systemText(`/usr/share/common-licenses/${name}`))];
}

/** What Vite found in the window's files (vite.config.ts). */
export function windowNotices(root: string): Notice[] {
  const list = join(root, "out/renderer/.vite/license.json");
  if (!existsSync(list)) throw new Error(`${list} is not there; \`npm run build:renderer\` writes it.`);
  const found = JSON.parse(readFileSync(list, "utf8")) as {
    name: string;
    version: string;
    identifier?: string;
    text?: string;
  }[];
  return found.map(({ name, version, identifier, text }) => {
    if (text === undefined) throw new Error(`${name} has no licence; find its text before it is packed.`);
    return { name, version, licence: identifier, text };
  });
}

/** What is linked into the addon. `documents` is where the system keeps its packages' terms. */
export function nativeNotices(documents = "/usr/share/doc"): Notice[] {
  return Object.entries(nativeParts).map(([name, debian]) => ({
    name,
    text: systemText(join(documents, debian, "copyright")),
  }));
}

function systemText(path: string): string {
  if (!existsSync(path))
    throw new Error(`${path} is not there; pack on a Debian or Ubuntu that keeps its packages' licences.`);
  return readFileSync(path, "utf8");
}

/** One heading a part, by name, each part once. */
export function noticesText(notices: readonly Notice[]): string {
  const parts = notices.map((notice) => [headingOf(notice), bodyOf(notice)] as const);
  const sorted = [...new Map(parts)].sort(([a], [b]) => a.localeCompare(b, "en"));
  const opening =
    "Rushes is made of these parts of others, each under its own licence. Electron's and Chromium's lie beside the program,\n" +
    "in LICENSE.electron.txt and LICENSES.chromium.html.";
  return [opening, ...sorted.map(([heading, body]) => `${"=".repeat(80)}\n${heading}\n\n${body}`)].join("\n\n") + "\n";
}

/** The line over a part: "ajv 8.20.0 (MIT)". */
export function headingOf({ name, version, licence }: Pick<Notice, "name" | "version" | "licence">): string {
  return [name, version, licence && `(${licence})`].filter(Boolean).join(" ");
}

function bodyOf({ source, text }: Notice): string {
  return [...(source === undefined ? [] : [`Source: ${source}`]), text.trim()].join("\n\n");
}

/** Writes them and returns where. */
export function writeNotices(root: string): string {
  const path = join(root, noticesFile);
  writeFileSync(path, noticesText([...packageNotices(root), ...windowNotices(root), ...nativeNotices()]));
  return path;
}

if (import.meta.main) console.log(writeNotices(join(import.meta.dirname, "..")));
