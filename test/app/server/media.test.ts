// Videos, pictures and the window's files over HTTP: ranges, validators, and no way to any other file.
import { readdirSync, readFileSync, readlinkSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Plumbing, until } from "../engine/plumbing.ts";
import { rawRequest } from "./raw-request.ts";
import { ServeProcess } from "./serve-process.ts";

let plumbing: Plumbing;
let server: ServeProcess;
let jobId: number;
let video: Buffer;
beforeAll(async () => {
  plumbing = new Plumbing();
  server = await ServeProcess.start({ library: plumbing.library, environment: plumbing.environment });
  jobId = await server.add();
  const job = await server.finished(jobId);
  video = readFileSync(job.video!.path);
});
afterAll(async () => {
  await server?.remove();
  plumbing?.remove();
});

const get = (headers: Record<string, string> = {}, method = "GET") =>
  server.fetch(`/media/video/${jobId}`, { method, headers });

describe("a video", () => {
  test("comes whole, with its type and length", async () => {
    const answer = await get();
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("video/mp4");
    expect(answer.headers.get("accept-ranges")).toBe("bytes");
    expect(Number(answer.headers.get("content-length"))).toBe(video.length);
    expect(Buffer.from(await answer.arrayBuffer()).equals(video)).toBe(true);
  });

  test("HEAD says the same and sends nothing", async () => {
    const answer = await get({}, "HEAD");
    expect([answer.status, Number(answer.headers.get("content-length"))]).toEqual([200, video.length]);
    expect((await answer.arrayBuffer()).byteLength).toBe(0);
  });

  test.each<[string, (size: number) => [number, number]]>([
    ["bytes=0-0", () => [0, 1]],
    ["bytes=5-99", () => [5, 100]],
    ["bytes=100-", (size) => [100, size]],
    ["bytes=-50", (size) => [size - 50, size]],
    ["bytes=-99999999", (size) => [0, size]],
    ["bytes=10-99999999", (size) => [10, size]],
    ["BYTES = 7-9", () => [7, 10]],
  ])("%s is answered in part", async (range, wanted) => {
    const [start, end] = wanted(video.length);
    const answer = await get({ range });
    expect(answer.status).toBe(206);
    expect(answer.headers.get("content-range")).toBe(`bytes ${start}-${end - 1}/${video.length}`);
    expect(Number(answer.headers.get("content-length"))).toBe(end - start);
    expect(Buffer.from(await answer.arrayBuffer()).equals(video.subarray(start, end))).toBe(true);
  });

  test.each(["bytes=99999999-", "bytes=-0"])("%s is answered with 416", async (range) => {
    const answer = await get({ range });
    expect(answer.status).toBe(416);
    expect(answer.headers.get("content-range")).toBe(`bytes */${video.length}`);
  });

  test.each(["bytes=9-5", "bytes=a-b", "bytes=-", "items=0-5", "bytes=0-1,5-6", "bytes=0x1-2", "nonsense"])(
    "%s is no range, and the whole comes",
    async (range) => {
      const answer = await get({ range });
      expect(answer.status).toBe(200);
      expect((await answer.arrayBuffer()).byteLength).toBe(video.length);
    },
  );

  test("is not sent again when it is known, and its rest only of the same version", async () => {
    const { headers } = await get({}, "HEAD");
    const [etag, modified] = [headers.get("etag")!, headers.get("last-modified")!];
    expect((await get({ "if-none-match": etag })).status).toBe(304);
    expect((await get({ "if-none-match": `"other", W/${etag}` })).status).toBe(304);
    expect((await get({ "if-none-match": '"other"' })).status).toBe(200);
    for (const [version, status] of [
      [etag, 206],
      [modified, 206],
      ['"other"', 200],
      [`W/${etag}`, 200],
      ["Thu, 01 Jan 1970 00:00:00 GMT", 200],
    ] as const)
      expect((await get({ range: "bytes=0-9", "if-range": version })).status, version).toBe(status);
  });

  test("survives readers that go away in the middle", async () => {
    for (let count = 0; count < 30; count++) {
      const controller = new AbortController();
      const answer = await server.fetch(`/media/video/${jobId}`, { signal: controller.signal });
      const reader = answer.body!.getReader();
      await reader.read();
      controller.abort();
      await reader.cancel().catch(() => {});
    }
    expect((await get()).status).toBe(200);
    const fileOf = (descriptor: string) => {
      try {
        return readlinkSync(join(descriptors, descriptor));
      } catch {
        return "";
      }
    };
    const descriptors = `/proc/${server.started.processId}/fd`;
    const open = () => readdirSync(descriptors).filter((one) => fileOf(one).endsWith(".mp4"));
    await until(() => open().length === 0, "every file to be closed");
  });

  test("has its poster", async () => {
    const answer = await server.fetch(`/media/poster/${jobId}`);
    expect(answer.headers.get("content-type")).toBe("image/png");
    expect(
      Buffer.from(await answer.arrayBuffer())
        .subarray(1, 4)
        .toString(),
    ).toBe("PNG");
    // Another library at this address has another poster under the same number.
    expect(answer.headers.get("cache-control")).toBe("private, no-cache");
    const headers = { "if-none-match": answer.headers.get("etag")! };
    expect((await server.fetch(`/media/poster/${jobId}`, { headers })).status).toBe(304);
  });
});

describe("nothing else can be had", () => {
  test.each([
    "/media/video/0",
    "/media/video/-1",
    "/media/video/1e3",
    "/media/video/999999",
    "/media/video/99999999999999999999",
    "/media/video/1.5",
    "/media/video/",
    "/media/video/1/",
    "/media/poster/..",
    "/media/upload/..%2f..%2frushes.db",
    "/media/upload/%2e%2e",
    "/media/export/__proto__",
    "/media/input/1",
    "/media/secret/1",
    "/media/video/%00",
    "/package.json",
    "/../package.json",
    "/assets/../../../package.json",
    "/%2e%2e/%2e%2e/package.json",
    "/..%2f..%2fpackage.json",
    "/..%5c..%5cpackage.json",
    "//etc/passwd",
    "/assets/%00.js",
    "/.git/config",
    "/%c0%ae%c0%ae/package.json",
  ])("at %s", async (path) => {
    const { port } = server.started;
    const lines = [`GET ${path} HTTP/1.1`, `host: 127.0.0.1:${port}`, `authorization: Bearer ${server.token}`];
    const { status, text } = await rawRequest(port, lines);
    expect([400, 404]).toContain(status);
    expect(text).not.toMatch(/"name": "rushes"|root:|SQLite/);
  });

  test("by another method", async () => {
    for (const method of ["POST", "PUT", "DELETE", "PATCH"])
      expect((await server.fetch(`/media/video/${jobId}`, { method })).status, method).toBeGreaterThanOrEqual(400);
  });
});

describe("paths in requests", () => {
  const exportTo = (folder: string) => server.request("exports:start", { jobId, format: "mp4", folder });

  test("are accepted inside the roots only, with links followed first", async () => {
    const outside = join(plumbing.file("outside/kept.txt"), "..");
    const inside = server.library;
    symlinkSync(outside, join(inside, "link"));
    symlinkSync(join(plumbing.folder, "not-yet"), join(inside, "dangling"));
    for (const path of [
      outside,
      join(inside, "link"),
      join(inside, "link/deeper"),
      join(inside, "link/../link/deeper"),
      join(inside, "dangling"),
      join(inside, "dangling/deeper"),
      join(inside, "../outside"),
      `${inside}-beside`,
      "/",
      "/etc",
      "/does-not-exist",
      "relative",
      "../../etc",
      "",
      "~",
      `${inside}/\0/x`,
      `file://${inside}`,
    ])
      await expect(exportTo(path), JSON.stringify(path)).rejects.toMatchObject({ code: "path.refused" });
    expect(readdirSync(outside)).toEqual(["kept.txt"]);
  });

  test("inside are used", async () => {
    const { export: begun } = await exportTo(join(server.library, "exported"));
    const finished = async () => {
      const { exports } = await server.request("exports:list", {});
      return exports.find(({ id }) => id === begun.id)!;
    };
    let state = await finished();
    for (; state.state === "running"; state = await finished()) await new Promise((resolve) => setTimeout(resolve, 50));
    expect(state).toMatchObject({ state: "done", error: null });
    expect(state.path).toMatch(/exported\/.*\.mp4$/);
  });
});
