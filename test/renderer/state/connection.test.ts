// Events reach who asked for their kind; gaps and reconnections ask for everything again.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { connection } from "../../../renderer/state/connection.svelte.ts";
import { jobs } from "../../../renderer/state/jobs.svelte.ts";
import { jobOf, ScriptedStudio } from "../scripted-studio.ts";

let disconnect: (() => void) | undefined;
afterEach(() => disconnect?.());

test("hello comes first, then everything is asked for", async () => {
  const refresh = vi.fn();
  const stop = connection.onRefresh(refresh);
  const studio = new ScriptedStudio();
  disconnect = studio.connect(jobs);
  await expect.poll(() => connection.connected).toBe(true);
  expect(connection.hello?.libraryFolder).toBe("/videos/Rushes");
  expect(refresh).toHaveBeenCalledOnce();
  expect(studio.requests("queue:state")).toHaveLength(1);
  stop();
});

test("a first answer that fails is asked for again, since events flow already", async () => {
  const studio = new ScriptedStudio();
  const hello = studio.answers["studio:hello"]!;
  let asked = 0;
  studio.answers["studio:hello"] = (request) => {
    if (++asked === 1) throw new Error("not now");
    return hello(request);
  };
  disconnect = studio.connect();
  await expect.poll(() => connection.connected).toBe(true);
  expect(asked).toBe(2);
});

test("only the kind that was asked for is heard, until it is not wanted any more", async () => {
  const studio = new ScriptedStudio();
  disconnect = studio.connect();
  await expect.poll(() => connection.connected).toBe(true);
  const heard = vi.fn();
  const stop = connection.on("history:changed", heard);
  studio.say({ kind: "queue:changed" });
  studio.say({ kind: "history:changed", jobIds: [3] });
  expect(heard).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ jobIds: [3] }));
  stop();
  studio.say({ kind: "history:changed", jobIds: [4] });
  expect(heard).toHaveBeenCalledOnce();
});

test("a missing event asks for everything again", async () => {
  let listener: ((event: never) => void) | undefined;
  const studio = new ScriptedStudio();
  const { listen } = window.rushes!;
  vi.spyOn(window.rushes!, "listen").mockImplementation((onEvent) => {
    listener = onEvent as (event: never) => void;
    return listen(onEvent);
  });
  disconnect = studio.connect();
  await expect.poll(() => connection.connected).toBe(true);
  const refresh = vi.fn();
  const stop = connection.onRefresh(refresh);
  expect(refresh).toHaveBeenCalledTimes(1);
  listener!({ kind: "queue:changed", number: 7 } as never);
  listener!({ kind: "queue:changed", number: 8 } as never);
  expect(refresh).toHaveBeenCalledTimes(1);
  listener!({ kind: "queue:changed", number: 10 } as never);
  expect(refresh).toHaveBeenCalledTimes(2);
  stop();
});

test("many changes of the queue at once are asked for twice at most", async () => {
  const studio = new ScriptedStudio();
  disconnect = studio.connect(jobs);
  await expect.poll(() => studio.requests("queue:state").length).toBe(1);
  for (let index = 0; index < 20; index++) studio.say({ kind: "queue:changed" });
  await expect.poll(() => studio.requests("queue:state").length).toBeGreaterThan(1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(studio.requests("queue:state").length).toBeLessThanOrEqual(3);
});

test("progress and pictures of a running job are live, and end with it", async () => {
  const studio = new ScriptedStudio();
  disconnect = studio.connect(jobs);
  await expect.poll(() => connection.connected).toBe(true);
  const progress = { stage: "sample", fraction: 0.5, step: 2, steps: 4, overall: 0.4, etaSeconds: 5 } as const;
  studio.say({ kind: "job:progressed", jobId: 9, progress });
  studio.say({ kind: "job:previewed", jobId: 9, step: 2, width: 128, height: 128, approximate: true });
  expect(jobs.live(9)).toMatchObject({ state: "running", progress, preview: { step: 2, approximate: true } });
  expect(jobs.live(9)?.preview?.url).toContain("/media/preview/9");
  studio.say({ kind: "job:changed", jobId: 9, state: "done", note: "" });
  expect(jobs.live(9)).toMatchObject({ state: "done", progress: null });
});

test("a job that waits again has no picture: the studio may have none of it when it runs again", async () => {
  const studio = new ScriptedStudio();
  disconnect = studio.connect(jobs);
  await expect.poll(() => connection.connected).toBe(true);
  studio.say({ kind: "job:previewed", jobId: 15, step: 2, width: 128, height: 128, approximate: true });
  expect(jobs.live(15)?.preview?.step).toBe(2);
  studio.say({ kind: "job:changed", jobId: 15, state: "queued", note: "the queue was paused" });
  expect(jobs.live(15)).toMatchObject({ state: "queued", progress: null, preview: null });
});

describe("the picture of the running job", () => {
  const shown = { step: 3, width: 128, height: 128, approximate: true };
  let studio: ScriptedStudio;
  beforeEach(() => {
    studio = new ScriptedStudio();
    studio.queue = { ...studio.queue, running: jobOf(12, { state: "running" }), preview: shown };
  });
  const connect = async () => {
    disconnect = studio.connect(jobs);
    await expect.poll(() => connection.connected).toBe(true);
    await expect.poll(() => jobs.running?.id).toBe(12);
  };
  const miss = async () => {
    const asked = studio.requests("queue:state").length;
    studio.say({ kind: "models:changed" });
    studio.lose();
    studio.say({ kind: "models:changed" });
    await expect.poll(() => studio.requests("queue:state").length).toBeGreaterThan(asked);
  };

  test("is there for a window that has only just been opened", async () => {
    await connect();
    expect(jobs.live(12)?.preview).toEqual({ ...shown, url: "/media/preview/12?step=3" });
  });

  test("stays where everything is asked for again and the studio still has it", async () => {
    await connect();
    studio.queue = { ...studio.queue, preview: { ...shown, step: 4 } };
    const missed = miss();
    expect(jobs.live(12)?.preview?.step).toBe(3);
    await missed;
    await expect.poll(() => jobs.live(12)?.preview?.step).toBe(4);
  });

  test("is not put back by an answer that is older than it", async () => {
    await connect();
    let answer = () => {};
    studio.answers["queue:state"] = () => new Promise((resolve) => (answer = () => resolve(studio.queue)));
    await miss();
    studio.say({ kind: "job:previewed", jobId: 12, ...shown, step: 4 });
    answer();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(jobs.live(12)?.preview?.step).toBe(4);
  });

  test("is forgotten where everything is asked for again and a studio that was started anew has none", async () => {
    await connect();
    studio.queue = { ...studio.queue, preview: null };
    await miss();
    await expect.poll(() => jobs.live(12)?.preview).toBe(null);
  });
});

test("in a browser, a server that was started anew is told apart from one that is gone", async () => {
  const sources: EventTarget[] = [];
  class Source extends EventTarget {
    onopen: (() => void) | null = null;
    onerror: (() => void) | null = null;
    constructor() {
      super();
      sources.push(this);
      setTimeout(() => (status === 200 ? this.onopen?.() : this.onerror?.()));
    }
    close() {}
  }
  let status = 401;
  const preload = window.rushes;
  Object.defineProperty(window, "rushes", { value: undefined, configurable: true });
  vi.stubGlobal("EventSource", Source);
  vi.stubGlobal("fetch", () => {
    if (status === 0) return Promise.reject(new TypeError("nobody answers"));
    const error = { code: "request.unauthorised", sentence: "No.", advice: "", detail: "" };
    return Promise.resolve(Response.json(status === 401 ? { error } : { version: "1" }, { status }));
  });
  disconnect = () => {
    connection.stop();
    vi.unstubAllGlobals();
    Object.defineProperty(window, "rushes", { value: preload, configurable: true });
  };
  connection.start();
  await expect.poll(() => connection.refused).toBe(true);
  expect(connection.connected).toBe(false);
  status = 0;
  await expect.poll(() => connection.refused).toBe(false);
  status = 200;
  await expect.poll(() => connection.connected).toBe(true);
  expect(connection.refused).toBe(false);
});
