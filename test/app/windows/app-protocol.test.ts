// app://rushes/ answers its page and what the page shows, and nothing else.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RushesError } from "../../../contract/errors.ts";
import { pictureUrl } from "../../../contract/channels/media.ts";
import { Pages } from "../../../app/channels/page-response.ts";
import { Uploads } from "../../../app/channels/uploads.ts";
import { appResponse, type AppParts } from "../../../app/windows/app-protocol.ts";
import { openDoor } from "../channels/open-door.ts";

let folder: string;
const logged: string[] = [];
let parts: AppParts;
const bytes = Buffer.from(Array.from({ length: 1000 }, (_, index) => index % 256));

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "rushes-protocol-"));
  const pagesFolder = join(folder, "renderer");
  mkdirSync(join(pagesFolder, "assets"), { recursive: true });
  writeFileSync(join(pagesFolder, "index.html"), "<!doctype html><title>Rushes</title>");
  writeFileSync(join(pagesFolder, "assets/main-B2xk3_9a.js"), "export {};");
  writeFileSync(join(folder, "secret.txt"), "secret");
  writeFileSync(join(folder, "video.mp4"), bytes);
  const uploads = new Uploads(join(folder, "uploads"));
  parts = {
    handlers: {},
    door: openDoor,
    log: { write: (text) => void logged.push(text) },
    uploads,
    pages: new Pages(pagesFolder),
    media: {
      media: ({ kind, id }) => {
        if (id === "500") throw new TypeError("a mistake of ours");
        if (kind === "upload") return uploads.picture(id);
        return kind === "video" && id === "1" ? { path: join(folder, "video.mp4"), type: "video/mp4" } : null;
      },
    },
  };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("what goes wrong inside is answered and logged", async () => {
  expect((await load("app://rushes/media/video/500?step=1")).status).toBe(500);
  expect(logged).toEqual([expect.stringMatching(/^GET \/media\/video\/500: .*\n.*a mistake of ours/)]);
});

const load = (address: string, init: RequestInit = {}) => appResponse(new Request(address, init), parts);

describe("the page", () => {
  test("comes with its policy, like everything else", async () => {
    const page = await load("app://rushes/");
    expect([page.status, await page.text()]).toEqual([200, "<!doctype html><title>Rushes</title>"]);
    for (const address of [
      "app://rushes/",
      "app://rushes/media/video/1",
      "app://rushes/gone",
      "app://rushes/media/x",
    ]) {
      const { headers, body } = await load(address);
      await body?.cancel();
      expect(headers.get("content-security-policy")).toContain("default-src 'none'; script-src 'self'");
      expect(headers.get("content-security-policy")).not.toContain("unsafe");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("cross-origin-opener-policy")).toBe("same-origin");
      expect(headers.get("permissions-policy")).toContain("camera=()");
    }
    expect((await load("app://rushes/assets/main-B2xk3_9a.js")).headers.get("content-type")).toContain(
      "text/javascript",
    );
  });

  test.each([
    "app://other/",
    "app://rushes.example/",
    "app://rushes:81/",
    "app://rushes/../secret.txt",
    "app://rushes/assets/../../secret.txt",
    "app://rushes/%2e%2e/secret.txt",
    "app://rushes/..%2fsecret.txt",
    "app://rushes/assets%2f..%2f..%2fsecret.txt",
    "app://rushes//etc/passwd",
    "app://rushes/media/video/..%2f..%2fsecret.txt",
    "app://rushes/media/video/2",
    "app://rushes/media/video/01",
    "app://rushes/api/queue/state",
  ])("%s is not there", async (address) => {
    const answer = await load(address);
    expect([answer.status, await answer.text()]).toEqual([404, "Not found\n"]);
  });

  test("other methods find nothing", async () => {
    for (const method of ["PUT", "DELETE", "OPTIONS"])
      expect((await load("app://rushes/", { method })).status).toBe(404);
    const refused = await load("app://rushes/api/queue/state", { method: "POST", body: "{}" });
    expect([refused.status, await refused.json()]).toMatchObject([400, { error: { code: "request.invalid" } }]);
  });
});

describe("a video", () => {
  test.each([
    ["bytes=0-9", 206, [0, 10], "bytes 0-9/1000"],
    ["bytes=990-", 206, [990, 1000], "bytes 990-999/1000"],
    ["bytes=-4", 206, [996, 1000], "bytes 996-999/1000"],
    ["bytes=5-5000", 206, [5, 1000], "bytes 5-999/1000"],
    ["bytes=1000-", 416, [0, 0], "bytes */1000"],
    ["lines=1-2", 200, [0, 1000], null],
  ] as const)("answers %s", async (range, status, [from, to], contentRange) => {
    const answer = await load("app://rushes/media/video/1", { headers: { range } });
    expect(answer.status).toBe(status);
    expect(answer.headers.get("content-range")).toBe(contentRange);
    expect(Buffer.from(await answer.arrayBuffer())).toEqual(bytes.subarray(from, to));
  });

  test("tells its length, and that it has not changed", async () => {
    const head = await load("app://rushes/media/video/1", { method: "HEAD" });
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "1000", ""]);
    const headers = { "if-none-match": head.headers.get("etag")! };
    expect((await load("app://rushes/media/video/1", { headers })).status).toBe(304);
  });
});

test("a picture without a path is sent as bytes and shown again", async () => {
  const png = Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), Buffer.alloc(40)]);
  const sent = await load("app://rushes/api/studio/upload", { method: "POST", body: png });
  const { uploadId } = (await sent.json()) as { uploadId: string };
  const shown = await load(`app://rushes/media/upload/${uploadId}`);
  expect([shown.status, shown.headers.get("content-type")]).toEqual([200, "image/png"]);
  const refused = await load("app://rushes/api/studio/upload", { method: "POST", body: "no picture at all" });
  expect([refused.status, await refused.json()]).toMatchObject([400, { error: { code: "request.invalid" } }]);
});

test("a picture on the disk is shown where the door lets its path through, and nothing but a picture", async () => {
  const path = join(folder, "a picture.png");
  writeFileSync(path, Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), Buffer.alloc(40)]));
  const picture = (asked: string, init: RequestInit = {}) => load(`app://rushes${pictureUrl(asked)}`, init);
  const shown = await picture(path);
  expect([shown.status, shown.headers.get("content-type")]).toEqual([200, "image/png"]);
  expect(shown.headers.get("x-content-type-options")).toBe("nosniff");
  expect((await picture(path, { method: "HEAD" })).headers.get("content-length")).toBe("48");

  const refused = await picture(join(folder, "secret.txt"));
  expect([refused.status, await refused.json()]).toMatchObject([400, { error: { code: "file.unreadable" } }]);
  const closed = { ...openDoor, allowedPath: () => Promise.reject(new RushesError("path.refused")) };
  const answer = await appResponse(new Request(`app://rushes${pictureUrl(path)}`), { ...parts, door: closed });
  expect([answer.status, await answer.json()]).toMatchObject([400, { error: { code: "path.refused" } }]);
});
