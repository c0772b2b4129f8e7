// What scripts and browsers may send: JSON of the right form, files of the right kind and size, a thousand at once.
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { encode } from "fast-png";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { UploadReply } from "../../../contract/channels.ts";
import { replyProblem, shapeProblem } from "../../../app/channels/schemas.ts";
import { Plumbing, until } from "../engine/plumbing.ts";
import { ServeProcess } from "./serve-process.ts";

let plumbing: Plumbing;
let server: ServeProcess;
beforeAll(async () => {
  plumbing = new Plumbing();
  server = await ServeProcess.start({ library: plumbing.library, environment: plumbing.environment });
});
afterAll(async () => {
  await server?.remove();
  plumbing?.remove();
});

/** Channels that take nothing and change nothing. */
const emptyRequests = [
  "studio:hello",
  "studio:session",
  "presets:list",
  "models:list",
  "machine:state",
  "machine:diagnostics",
  "exports:list",
] as const;

const refusalOf = async (answer: Response) => {
  const { error } = (await answer.json()) as { error: Record<string, string> };
  expect(shapeProblem("ErrorRecord", error)).toBeNull();
  return { status: answer.status, ...error };
};
const uploads = () => join(server.library, "cache/uploads");
const picture = Buffer.from(
  encode({ width: 16, height: 16, data: new Uint8Array(16 * 16 * 3), channels: 3, depth: 8 }),
);

describe("a JSON request", () => {
  const post = async (path: string, body: string | Buffer, type = "application/json") =>
    refusalOf(await server.post(path, body, { "content-type": type }));

  test.each([
    ["half an object", '{"drafts":['],
    ["a stray comma", '{"drafts":[],}'],
    ["no JSON at all", "drafts"],
    ["bytes that are no text", Buffer.from([0x22, 0xff, 0xfe, 0x22])],
    ["a NUL", "\0"],
  ])("that is %s is refused", async (_what, body) => {
    expect(await post("/api/queue/add", body)).toMatchObject({ status: 400, code: "request.invalid" });
  });

  test.each([
    ['{"drafts":[{"valu":{}}]}', '"drafts[0]" lacks "values".'],
    ['{"drafts":{}}', '"drafts" is to be a list.'],
    ["{}", 'The request lacks "drafts".'],
    ["[]", "The request is to be an object."],
    ["null", "The request is to be an object."],
    ['{"drafts":[],"nex":true}', 'The request has "nex", which is not known there.'],
    ['{"drafts":[],"next":1}', '"next" is to be true or false.'],
    [
      '{"drafts":[{"values":{},"image":{"pat":1}}]}',
      '"drafts[0].image" has none of the forms that are accepted there.',
    ],
  ])("%s names its field", async (body, sentence) => {
    expect(await post("/api/queue/add", body)).toMatchObject({ status: 400, code: "request.invalid", sentence });
  });

  test("with far too many drafts says how many are taken, before any is looked at", async () => {
    const body = JSON.stringify({ drafts: Array.from({ length: 100_000 }, () => ({ values: { prompt: "a ball" } })) });
    expect(await post("/api/queue/add", body)).toMatchObject({
      status: 400,
      code: "request.invalid",
      sentence: "100,000 drafts came at once; at most 1,000 are taken.",
    });
  });

  test.each([
    ["0", '"jobId" is to be at least 1.'],
    ["1.5", '"jobId" is to be a whole number.'],
    ['"1"', '"jobId" is to be a whole number.'],
    ["null", '"jobId" is to be a whole number.'],
  ])("with the job %s names it", async (jobId, sentence) => {
    expect(await post("/api/queue/cancel", `{"jobId":${jobId}}`)).toMatchObject({ status: 400, sentence });
  });

  test("without a body is an empty one", async () => {
    expect(
      (await server.fetch("/api/queue/state", { method: "POST", headers: { "content-type": "application/json" } }))
        .status,
    ).toBe(200);
  });

  test("of another type is refused, so that no form can send it", async () => {
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
      expect(await post("/api/queue/pause", "{}", type)).toMatchObject({ status: 400, code: "request.invalid" });
    expect((await server.request("queue:state", {})).paused).toBe(false);
  });

  test("to an address there is not is told", async () => {
    for (const path of ["/api/queue/nothing", "/api/__proto__/x", "/api/constructor/name", "/api/queue", "/api/"])
      expect(await post(path, "{}")).toMatchObject({ status: 404, code: "request.invalid" });
    expect((await server.fetch("/api/queue/state")).status).toBe(404);
  });

  test("that is refused further in keeps its code and says what to do", async () => {
    const body = JSON.stringify({ drafts: [{ values: { prompt: "x", numSteps: 99 } }] });
    expect(await post("/api/queue/add", body)).toMatchObject({ status: 422, code: "settings.invalid" });
    expect(await post("/api/queue/retry", '{"jobId":999}')).toMatchObject({ status: 404, code: "job.unknown" });
  });

  test("with a prototype inside changes nothing", async () => {
    const body = '{"drafts":[{"values":{"prompt":"x","__proto__":{"numSteps":99},"constructor":{"prototype":{}}}}]}';
    await server.post("/api/queue/add", body);
    expect((await server.post("/api/queue/state", "{}")).status).toBe(200);
  });

  test("larger than 16 MB is refused, announced or not", async () => {
    const large = Buffer.alloc(17_000_000, " ");
    expect(await post("/api/queue/add", large)).toMatchObject({ status: 413, code: "request.too_large" });
    const stream = new ReadableStream({
      start(controller) {
        for (let count = 0; count < 17; count++) controller.enqueue(new Uint8Array(1_000_000).fill(32));
        controller.close();
      },
    });
    const init = { method: "POST", body: stream, duplex: "half", headers: { "content-type": "application/json" } };
    expect(await refusalOf(await server.fetch("/api/queue/add", init as RequestInit))).toMatchObject({ status: 413 });
  });
});

describe("replies", () => {
  test("have the contract's form", async () => {
    const id = await server.add();
    const jobs = await server.request("queue:add", { drafts: [{ values: { prompt: "A red ball", numSamples: 2 } }] });
    expect(replyProblem("queue:add", jobs)).toBeNull();
    const detail = await server.finished(id);
    expect(replyProblem("history:detail", { detail })).toBeNull();
    expect(replyProblem("queue:state", await server.request("queue:state", {}))).toBeNull();
    expect(replyProblem("history:cards", await server.request("history:cards", { ids: [id] }))).toBeNull();
    for (const name of emptyRequests) expect(replyProblem(name, await server.request(name, {})), name).toBeNull();
    const draft = { values: { prompt: "A red ball", numSteps: 99 } };
    const check = await server.request("generate:check", { draft });
    expect(replyProblem("generate:check", check)).toBeNull();
    expect(check.problems).toMatchObject([{ id: "numSteps" }]);
    const odd = await server.request("generate:check", { draft: { values: { nonsense: 1, sigmaMax: "x" } as object } });
    expect(replyProblem("generate:check", odd)).toBeNull();
    const expanded = await server.request("generate:expand", { text: "{red|blue} ball", form: "lines" });
    expect(replyProblem("generate:expand", expanded)).toBeNull();
    expect(expanded.total).toBe(2);
    expect(replyProblem("history:facets", await server.request("history:facets", {}))).toBeNull();
  });
});

test("a thousand requests at once are all answered", async () => {
  const answers = await Promise.all(
    Array.from({ length: 1000 }, async (_, index) => {
      const answer = await (index % 2 === 0
        ? server.post("/api/queue/state", "{}")
        : server.fetch("/api/openapi.json"));
      await answer.arrayBuffer();
      return answer.status;
    }),
  );
  expect(new Set(answers)).toEqual(new Set([200]));
});

describe("an upload", () => {
  const send = (body: NonNullable<RequestInit["body"]>, headers = {}) =>
    server.post("/api/studio/upload", body, headers);

  test("of a picture is kept and can be looked at", async () => {
    const answer = await send(picture, { "content-type": "image/png" });
    const reply = (await answer.json()) as { uploadId: string };
    expect(shapeProblem("UploadReply", reply)).toBeNull();
    const shown = await server.fetch(`/media/upload/${reply.uploadId}`);
    expect(shown.headers.get("content-type")).toBe("image/png");
    expect(Buffer.from(await shown.arrayBuffer()).equals(picture)).toBe(true);
  });

  test("is judged by its content, not by its name or type", async () => {
    const script = "<script>alert(1)</script>".padEnd(100);
    const refused = await refusalOf(await send(script, { "content-type": "image/png", "x-file-name": "a.png" }));
    expect(refused).toMatchObject({ status: 400, code: "request.invalid" });
    for (const body of ["", "x", Buffer.from("\x89PNG")]) expect((await send(body)).status).toBe(400);
    expect(readdirSync(uploads()).filter((name) => name.endsWith(".partial"))).toEqual([]);
  });

  test("of too much is refused before it is sent, and while it comes; nothing is left", async () => {
    const before = readdirSync(uploads());
    const announced = await fetchLarge(server, 5_000_000_000);
    expect(announced).toBe(413);
    const piece = Buffer.concat([picture, Buffer.alloc(1_000_000 - picture.length)]);
    let sent = 0;
    const stream = new ReadableStream({
      pull(controller) {
        if (sent++ < 120) controller.enqueue(new Uint8Array(piece));
        else controller.close();
      },
    });
    const init = { method: "POST", body: stream, duplex: "half" };
    const status = await server.fetch("/api/studio/upload", init as RequestInit).then(
      (answer) => answer.status,
      () => "connection closed",
    );
    expect([413, "connection closed"]).toContain(status);
    await until(() => readdirSync(uploads()).length === before.length, "nothing to be left");
  });

  test("that breaks off leaves nothing", async () => {
    const before = readdirSync(uploads()).length;
    const socket = connect(server.started.port, "127.0.0.1");
    const head = ["POST /api/studio/upload HTTP/1.1", `host: 127.0.0.1:${server.started.port}`];
    socket.write(
      `${[...head, `authorization: Bearer ${server.token}`, "content-length: 100000"].join("\r\n")}\r\n\r\n`,
    );
    socket.write(picture);
    await until(() => readdirSync(uploads()).some((name) => name.endsWith(".partial")), "the first bytes");
    socket.destroy();
    await until(() => readdirSync(uploads()).length === before, "nothing to be left");
  });

  test("on a full disk is refused and leaves nothing", async ({ skip }) => {
    const disk = plumbing.smallDisk("2m");
    if (!disk) return skip("no right to mount a small file system");
    const own = await ServeProcess.start({ library: join(disk.folder, "library"), environment: plumbing.environment });
    try {
      const body = Buffer.concat([picture, Buffer.alloc(4_000_000)]);
      const refused = await refusalOf(await own.post("/api/studio/upload", body));
      expect(refused).toMatchObject({ status: 507, code: "disk.full" });
      expect(readdirSync(join(own.library, "cache/uploads"))).toEqual([]);
    } finally {
      await own.remove();
      disk.unmount();
    }
  });

  test("of a video tells its settings and is not kept", async () => {
    const before = readdirSync(uploads()).length;
    const jobId = await server.add({ seed: 77 });
    const { video } = await server.finished(jobId);
    const body = readFileSync(video!.path);
    for (const route of ["upload", "restore"]) {
      const answer = await server.post(`/api/studio/${route}`, body, { "x-file-name": encodeURIComponent("名 1.mp4") });
      const reply = (await answer.json()) as UploadReply;
      expect(shapeProblem("UploadReply", reply)).toBeNull();
      expect(reply).toMatchObject({ fileName: "名 1.mp4", jobId, settings: { seed: 77 } });
    }
    const foreign = Buffer.concat([Buffer.from("\0\0\0\x18ftypisom"), Buffer.alloc(100)]);
    expect((await send(foreign)).status).toBeGreaterThanOrEqual(400);
    expect((await server.post("/api/studio/restore", picture)).status).toBeGreaterThanOrEqual(400);
    expect(readdirSync(uploads()).length).toBe(before);
  });

  test("may come as the form that curl calls every body by default", async () => {
    const answer = await send(picture, { "content-type": "application/x-www-form-urlencoded" });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ uploadId: expect.stringMatching(/^[\w-]{24}$/) as string });
  });
});

test("the token is not in the log", () => {
  const logs = join(server.library, "logs");
  for (const name of readdirSync(logs)) expect(readFileSync(join(logs, name), "utf8")).not.toContain(server.token);
  expect(server.errors).not.toContain(server.token);
});

/** Announces a body of this many bytes and waits for the answer without sending it. */
function fetchLarge({ started, token }: ServeProcess, bytes: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(started.port, "127.0.0.1");
    const head = ["POST /api/studio/upload HTTP/1.1", `host: 127.0.0.1:${started.port}`, `content-length: ${bytes}`];
    socket.on("data", (piece) => {
      resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(piece.toString())?.[1]));
      socket.destroy();
    });
    socket.on("error", reject);
    socket.write(`${[...head, `authorization: Bearer ${token}`].join("\r\n")}\r\n\r\n`);
  });
}
