// A draft's picture by its path over HTTP: what a client may name anyway, where it is a picture, and nothing else.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "fast-png";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pictureUrl } from "../../../contract/channels/media.ts";
import { ServeProcess } from "./serve-process.ts";

let server: ServeProcess;
/** Where clients may name paths, and where not. */
let root: string;
let outside: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "rushes-root-"));
  outside = mkdtempSync(join(tmpdir(), "rushes-outside-"));
  server = await ServeProcess.start({ words: ["--root", root] });
});
afterAll(async () => {
  await server?.remove();
  for (const folder of [root, outside]) rmSync(folder, { recursive: true, force: true });
});

const png = (level: number) =>
  Buffer.from(encode({ width: 4, height: 2, channels: 3, data: new Uint8Array(24).fill(level) }));
const jpeg = Buffer.concat([Buffer.from("\xff\xd8\xff\xe0", "latin1"), Buffer.alloc(40)]);
const webp = Buffer.concat([Buffer.from("RIFF\x20\0\0\0WEBPVP8 ", "latin1"), Buffer.alloc(40)]);
const get = (path: string, init: RequestInit = {}) => server.fetch(pictureUrl(path), init);

function written(path: string, bytes: string | Buffer): string {
  writeFileSync(path, bytes);
  return path;
}

async function refusal(path: string) {
  const answer = await get(path);
  const { error } = (await answer.json()) as { error: { code: string } };
  return [answer.status, error.code];
}

test.each([
  ["a b ü #%.png", png(1), "image/png"],
  ["photo", jpeg, "image/jpeg"],
  ["named wrongly.png", webp, "image/webp"],
])("%s comes as what its bytes say", async (name, bytes, type) => {
  const answer = await get(written(join(root, name), bytes));
  expect([answer.status, answer.headers.get("content-type")]).toEqual([200, type]);
  expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
  expect(answer.headers.get("cache-control")).toBe("private, no-store");
  expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true);
});

test("the library's copies are among them, and a file that changed comes as it is now", async () => {
  const inputs = join(server.library, "inputs");
  mkdirSync(inputs, { recursive: true });
  const path = join(inputs, "kept.png");
  for (const bytes of [png(10), png(20)]) {
    const answer = await get(written(path, bytes));
    expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true);
  }
  const head = await get(path, { method: "HEAD" });
  expect([head.status, head.headers.get("content-length")]).toEqual([200, String(png(20).length)]);
});

test("what lies elsewhere is refused, whatever it is and however it is named", async () => {
  const picture = written(join(outside, "cat.png"), png(1));
  symlinkSync(picture, join(root, "link.png"));
  symlinkSync(outside, join(root, "folder"));
  for (const path of [
    picture,
    join(outside, "none.png"),
    join(root, "link.png"),
    join(root, "folder/cat.png"),
    `${root}/../${outside.split("/").at(-1)}/cat.png`,
    `file://${root}/photo`,
    "/etc/passwd",
    "cat.png",
    "",
    `${root}/\0.png`,
  ])
    expect(await refusal(path), JSON.stringify(path)).toEqual([403, "path.refused"]);
  expect((await server.fetch("/media/picture")).status).toBe(403);
});

test("what is no picture is not sent, whatever it is called", async () => {
  mkdirSync(join(root, "folder.png"));
  for (const path of [
    written(join(root, "words.png"), "words"),
    written(join(root, "empty.png"), ""),
    written(join(root, "drawing.svg"), '<svg xmlns="http://www.w3.org/2000/svg"/>'),
    written(join(root, "moving.gif"), "GIF89a and more of it"),
    join(root, "folder.png"),
    join(root, "none.png"),
    join(server.library, "rushes.db"),
    server.started.tokenFile,
  ])
    expect((await refusal(path))[1], path).toMatch(/^(file\.unreadable|path\.refused)$/);
});

test("nobody gets it without the token, and by reading only", async () => {
  const path = written(join(root, "own.png"), png(1));
  expect((await get(path, { headers: { authorization: "Bearer wrong" } })).status).toBe(401);
  for (const method of ["POST", "PUT", "DELETE"])
    expect((await get(path, { method })).status, method).toBeGreaterThanOrEqual(400);
});
