// The command itself: starting, ending, starting again; two on one library; what goes wrong at the start.
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { constants, getPriority } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isFinal } from "../../../contract/job.ts";
import { openDatabase } from "../../../app/history/database.ts";
import { runRushes, startRushes } from "../cli/run-rushes.ts";
import { isAlive, Plumbing, until, soon } from "../engine/plumbing.ts";
import { ServeProcess, type ServeOptions } from "./serve-process.ts";

let plumbing: Plumbing;
const running: ServeProcess[] = [];
beforeEach(() => void (plumbing = new Plumbing()));
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop("SIGKILL")));
  plumbing.remove();
});

async function start(options: ServeOptions = {}): Promise<ServeProcess> {
  const environment = { ...plumbing.environment, ...options.environment };
  const server = await ServeProcess.start({ library: plumbing.library, ...options, environment });
  running.push(server);
  return server;
}

const detailOf = async (server: ServeProcess, jobId: number) =>
  (await server.request("history:detail", { jobId })).detail;
async function untilRunning(server: ServeProcess, jobId: number): Promise<void> {
  await until(async () => {
    const { state, error } = await detailOf(server, jobId);
    if (isFinal(state)) throw new Error(`Job ${jobId} is ${state} already: ${error?.sentence ?? "no error"}`);
    return state === "running";
  }, `job ${jobId} to run`);
}

/** The processes it started. */
const childrenOf = ({ started: { processId } }: ServeProcess) =>
  readFileSync(`/proc/${processId}/task/${processId}/children`, "utf8").split(" ").filter(Boolean).map(Number);

describe("ending", () => {
  test.each(["SIGINT", "SIGTERM"] as const)(
    "by %s takes seconds, keeps the running job, and it continues at the next start",
    async (signal) => {
      plumbing.script({ stepMs: 1000 });
      const first = await start();
      const jobId = await first.add({ numSteps: 4 });
      await until(() => existsSync(join(plumbing.library, "latents")), "the library");
      await until(async () => (await detailOf(first, jobId)).steps.length >= 1, "a finished step");
      const events = await first.fetch("/api/events");
      const began = Date.now();
      expect(await first.stop(signal)).toBe(0);
      expect(Date.now() - began).toBeLessThan(soon);
      await events.body!.cancel().catch(() => {});
      expect(readdirSync(plumbing.library).filter((name) => name.endsWith(".token"))).toEqual([]);

      plumbing.script({ stepMs: 20 });
      const second = await start();
      const job = await second.finished(jobId);
      expect(job).toMatchObject({ state: "done", error: null });
      expect(job.resumedFromStep).toBeGreaterThan(0);
    },
  );

  test("by a SIGTERM that its engine hears first, as one of the group, fails no job in its first step", async () => {
    plumbing.script({ stepMs: 3000 });
    const first = await start();
    const jobId = await first.add({ numSteps: 4 });
    await until(() => plumbing.notes().includes("generate from 0"), "the work to begin");
    for (const processId of childrenOf(first)) process.kill(processId, "SIGTERM");
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await first.stop("SIGTERM")).toBe(0);

    plumbing.script({ stepMs: 20 });
    const second = await start();
    expect(await second.finished(jobId)).toMatchObject({ state: "done", error: null });
  });

  test("by kill -9 loses no job; a client comes back by itself", async () => {
    plumbing.script({ stepMs: 1000 });
    const token = "a-token-that-was-chosen-by-a-script-1234";
    const first = await start({ environment: { RUSHES_TOKEN: token } });
    expect(first.token).toBe(token);
    const ids = [await first.add({ seed: 1, numSteps: 4 }), await first.add({ seed: 2 }), await first.add({ seed: 3 })];
    const events = await first.fetch("/api/events");
    const reader = events.body!.getReader();
    const { value } = await reader.read();
    const lastId = /id: (\S+)/.exec(new TextDecoder().decode(value))![1]!;
    await untilRunning(first, ids[0]!);
    await first.stop("SIGKILL");
    await reader.cancel().catch(() => {});

    plumbing.script({ stepMs: 10 });
    const second = await start({ words: ["--port", String(first.started.port)], environment: { RUSHES_TOKEN: token } });
    // The old address, token and place in the stream still serve.
    const again = await fetch(`${first.address}/api/events`, {
      headers: { authorization: `Bearer ${token}`, "last-event-id": lastId },
    });
    const next = again.body!.getReader();
    let text = "";
    for (let part = await next.read(); !part.done; part = await next.read()) {
      text += new TextDecoder().decode(part.value);
      if (text.includes("event: resync")) break;
    }
    expect(text).toContain("event: resync");
    await next.cancel();
    for (const id of ids) expect(await second.finished(id)).toMatchObject({ state: "done", error: null });
  });
});

describe("the page going away", () => {
  test("stops nothing", async () => {
    plumbing.script({ stepMs: 1000 });
    const server = await start();
    const events = await server.fetch("/api/events");
    const jobId = await server.add({ numSteps: 4 });
    await untilRunning(server, jobId);
    await events.body!.cancel();
    plumbing.script({ stepMs: 20 });
    expect(await server.finished(jobId)).toMatchObject({ state: "done", attempts: 1 });
  });
});

describe("two servers on one library", () => {
  test("show the same; one runs the queue, and the other takes over when it is gone", async () => {
    plumbing.script({ stepMs: 1000 });
    const [first, second] = [await start(), await start()];
    expect(second.started.port).not.toBe(first.started.port);
    expect(second.token).not.toBe(first.token);
    const jobId = await second.add({ numSteps: 4 });
    await untilRunning(second, jobId);
    const elsewhere = await Promise.all(
      [first, second].map(async (server) => (await server.request("queue:state", {})).elsewhere),
    );
    expect(elsewhere.sort()).toEqual([false, true]);
    await first.stop("SIGKILL");
    plumbing.script({ stepMs: 20 });
    expect(await second.finished(jobId)).toMatchObject({ state: "done" });
    const third = await second.add({ seed: 9 });
    expect(await second.finished(third)).toMatchObject({ state: "done" });
  });
});

describe("the token", () => {
  test("can be given as a file", async () => {
    const file = plumbing.file("token.txt");
    writeFileSync(file, "0123456789abcdef0123456789abcdef\n");
    const server = await start({ words: ["--token", file] });
    expect(server.token).toBe("0123456789abcdef0123456789abcdef");
    expect((await server.post("/api/queue/state", "{}")).status).toBe(200);
  });

  test("is new at each start otherwise, and the engine's process does not know it", async () => {
    const first = await start({ environment: { RUSHES_TOKEN: "0123456789abcdef0123456789abcdef" } });
    await first.finished(await first.add());
    for (const child of childrenOf(first))
      if (isAlive(child)) expect(readFileSync(`/proc/${child}/environ`, "utf8")).not.toContain("RUSHES_TOKEN");
    await first.stop();
    const second = await start();
    const third = await start();
    expect(new Set([first.token, second.token, third.token]).size).toBe(3);
  });
});

test("the engine of a server stands back, so that pages are answered while it computes", async () => {
  const server = await start();
  await server.finished(await server.add());
  expect(childrenOf(server).filter(isAlive).map(getPriority)).toEqual([
    Math.max(getPriority(), constants.priority.PRIORITY_BELOW_NORMAL),
  ]);
});

describe("what goes wrong at the start is told in one sentence", () => {
  const serve = (...words: string[]) => runRushes(["serve", ...words], { library: plumbing.library });

  test("a port that is taken", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as AddressInfo;
    const { code, stderr } = await serve("--port", String(port));
    expect(code).toBe(2);
    expect(stderr).toContain(`Port ${port} is already in use`);
    expect(stderr).toContain("--port");
    other.close();
    await once(other, "close");
  });

  test.each([
    ["a port that is none", ["--port", "x"], "is no port"],
    ["a port that is too large", ["--port", "70000"], "is no port"],
    ["an address of another machine", ["--host", "203.0.113.7", "--port", "0"], "cannot listen on 203.0.113.7"],
    ["a root that is not there", ["--root", "/does/not/exist", "--port", "0"], "does not exist"],
    ["a token file that is not there", ["--token", "/does/not/exist"], "cannot be read"],
  ])("%s", async (_what, words, sentence) => {
    const { code, stderr } = await serve(...words);
    expect(code).toBe(2);
    expect(stderr).toContain(sentence);
  });

  test.each([
    ["damaged", (path: string) => writeFileSync(path, "no history at all ".repeat(500)), "history.unreadable"],
    [
      "newer",
      (path: string) => openDatabase(path, [{ number: 9999, name: "later", sql: "" }]).close(),
      "history.newer",
    ],
  ])("a history that is %s", async (_what, write, code) => {
    mkdirSync(plumbing.library);
    write(join(plumbing.library, "rushes.db"));
    const { child, finished } = startRushes(["serve", "--port", "0"], { library: plumbing.library });
    const running = setTimeout(() => child.kill("SIGKILL"), 60_000);
    const ended = await finished;
    clearTimeout(running);
    expect(ended.stderr).toContain(`error (${code}): `);
    expect(ended).toMatchObject({ code: 1, stdout: "" });
    expect(readdirSync(plumbing.library).filter((name) => name.endsWith(".token"))).toEqual([]);
  });

  test("a token that can be guessed", async () => {
    const { code, stderr } = await runRushes(["serve", "--port", "0"], {
      library: plumbing.library,
      environment: { RUSHES_TOKEN: "secret" },
    });
    expect(code).toBe(2);
    expect(stderr).toContain("at least 32");
    expect(stderr).not.toContain("secret\n");
  });
});

test("a warning stands beside a link that others can reach", async () => {
  const server = await start({ words: ["--host", "0.0.0.0"] });
  expect(server.started.warnings).toEqual([expect.stringContaining("not encrypted")]);
  expect((await start()).started.warnings).toEqual([]);
});
