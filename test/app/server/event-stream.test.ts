// Events over HTTP: nothing missed by who comes back, nothing kept for who does not read.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Announcement, StudioEvent } from "../../../contract/channels.ts";
import { RushesError } from "../../../contract/errors.ts";
import { drawToken } from "../../../app/server/access.ts";
import { EventStream } from "../../../app/server/event-stream.ts";
import { type RunningServer, startServer } from "../../../app/server/server.ts";
import { Uploads } from "../../../app/channels/uploads.ts";
import { StudioEvents } from "../../../app/studio/studio-events.ts";
import { until } from "../engine/plumbing.ts";

const token = drawToken();
let studio: StudioEvents;
let server: RunningServer;
const logged: string[] = [];
beforeEach(async () => {
  studio = new StudioEvents();
  server = await startServer({
    handlers: {
      "queue:state": () => {
        throw new TypeError("a mistake of ours");
      },
      "queue:pause": () => {
        throw new RushesError("disk.full");
      },
    },
    events: studio,
    media: () => null,
    version: "0",
    token,
    host: "127.0.0.1",
    port: 0,
    allowHosts: [],
    roots: [],
    pagesFolder: "/nowhere",
    uploads: new Uploads("/nowhere"),
    log: { write: (text) => void logged.push(text) },
  });
});
afterEach(async () => {
  await server.close();
  studio.close();
});

const log = (line: string): Announcement => ({ kind: "job:logged", jobId: 1, level: "info", line });

test("what goes wrong inside is answered in a sentence and logged with its detail; what can happen is not", async () => {
  logged.splice(0);
  const ask = (verb: string) =>
    fetch(`${server.address}/api/queue/${verb}`, {
      method: "POST",
      body: "{}",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    });
  const [inside, full] = [await ask("state"), await ask("pause")];
  expect([inside.status, full.status]).toEqual([500, 507]);
  expect(logged).toEqual([expect.stringMatching(/^POST \/api\/queue\/state: .*\n.*a mistake of ours\n +at /)]);
  expect(logged[0]).not.toContain(token);
});

/** A reader of the stream that gives what it heard so far. */
class Listener {
  readonly events: StudioEvent[] = [];
  readonly ids: string[] = [];
  resyncs = 0;
  ended = false;
  readonly #controller = new AbortController();

  static async open(lastId?: string, asQuery = false): Promise<Listener> {
    const listener = new Listener();
    const headers: Record<string, string> = { authorization: `Bearer ${token}` };
    if (lastId !== undefined && !asQuery) headers["last-event-id"] = lastId;
    const query = asQuery ? `?after=${lastId}` : "";
    const answer = await fetch(`${server.address}/api/events${query}`, {
      headers,
      signal: listener.#controller.signal,
    });
    expect(answer.headers.get("content-type")).toContain("text/event-stream");
    void listener.#read(answer.body!);
    await until(() => listener.ids.length > 0, "the first line");
    return listener;
  }

  close(): void {
    this.#controller.abort();
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    let text = "";
    const decoder = new TextDecoder();
    try {
      for await (const piece of body) {
        text += decoder.decode(piece, { stream: true });
        const blocks = text.split("\n\n");
        text = blocks.pop() ?? "";
        blocks.forEach((block) => this.#take(block));
      }
    } catch {
      // Closed by the test or cut by the server.
    }
    this.ended = true;
  }

  #take(block: string): void {
    const fields = block.split("\n").map((line) => line.split(/: (.*)/s));
    const value = (name: string) => fields.find(([key]) => key === name)?.[1];
    const id = value("id");
    if (id !== undefined) this.ids.push(id);
    if (value("event") === "resync") this.resyncs++;
    else if (value("data") !== undefined) this.events.push(JSON.parse(value("data")!) as StudioEvent);
  }
}

describe("a listener", () => {
  test("hears events in order, each once, as the studio numbers them", async () => {
    const listener = await Listener.open();
    for (let count = 0; count < 500; count++) studio.announce(log(`line ${count}`));
    await until(() => listener.events.length === 500, "all events");
    expect(listener.events.map(({ number }) => number)).toEqual(Array.from({ length: 500 }, (_, index) => index + 1));
    listener.close();
  });

  test("that comes back is told what it missed", async () => {
    const first = await Listener.open();
    studio.announce(log("before"));
    await until(() => first.events.length === 1, "the first event");
    const lastId = first.ids.at(-1)!;
    first.close();
    for (let count = 0; count < 100; count++) studio.announce(log(`missed ${count}`));
    for (const asQuery of [false, true]) {
      const second = await Listener.open(lastId, asQuery);
      await until(() => second.events.length === 100, "what was missed");
      expect(second.resyncs).toBe(0);
      expect(second.events[0]).toMatchObject({ line: "missed 0", number: 2 });
      second.close();
    }
  });

  test("that missed too much, or knew another start of the program, is told to ask again", async () => {
    const first = await Listener.open();
    const lastId = first.ids.at(-1)!;
    first.close();
    for (let count = 0; count < 5000; count++) studio.announce(log(`missed ${count}`));
    for (const id of [lastId, "other.3", "nonsense", "-1", `${lastId.split(".")[0]}.999999`]) {
      const second = await Listener.open(id);
      await until(() => second.resyncs === 1, `a resync after ${id}`);
      expect(second.events).toEqual([]);
      studio.announce(log("now"));
      await until(() => second.events.length === 1, "what comes now");
      second.close();
    }
  });

  test("ends with the server", async () => {
    const listener = await Listener.open();
    await server.close();
    await until(() => listener.ended, "the end");
  });
});

test("who does not read is let go while others hear everything, and memory stays", async () => {
  const stuck: Socket[] = [];
  for (let count = 0; count < 5; count++) {
    const socket = connect(server.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(
      `GET /api/events HTTP/1.1\r\nhost: 127.0.0.1:${server.port}\r\nauthorization: Bearer ${token}\r\n\r\n`,
    );
    await once(socket, "readable");
    stuck.push(socket);
  }
  const reader = await Listener.open();
  const before = process.memoryUsage();
  const used = () => {
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external - before.heapUsed - before.external;
  };
  const line = "x".repeat(10_000);
  const total = 6000;
  let most = 0;
  for (let count = 0; count < total; count++) {
    studio.announce(log(line));
    if (count % 50 !== 0) continue;
    await until(() => reader.events.length >= count - 20, "the reader");
    // What the reader of this test keeps is its own.
    most = Math.max(most, used() - reader.events.length * line.length * 2);
  }
  await until(() => reader.events.length === total, "everything");
  expect(most).toBeLessThan(150_000_000);
  for (const socket of stuck) {
    socket.resume();
    if (!socket.closed) await once(socket, "close");
  }
  reader.close();
});

describe("the stream by itself", () => {
  const request = () => new Request("http://127.0.0.1/api/events");

  test("gives signs of life, and lets go who reads none of them", async () => {
    const source = new StudioEvents();
    const stream = new EventStream(source, 20);
    let cut = 0;
    const read = stream.respond(request(), () => void cut++).body!.getReader();
    stream.respond(request(), () => void cut++);
    let text = "";
    for (let count = 0; count < 20; count++) text += new TextDecoder().decode((await read.read()).value);
    expect(text).toContain(": alive");
    expect(cut).toBe(1);
    expect(stream.clientCount).toBe(1);
    stream.close();
  });

  test("has room for two hundred listeners, and none that left count", async () => {
    const source = new StudioEvents();
    const stream = new EventStream(source);
    const open = () => stream.respond(request(), () => {});
    const answers = Array.from({ length: 200 }, open);
    expect(open().status).toBe(503);
    await answers[0]!.body!.cancel();
    expect(open().status).toBe(200);
    expect(source.listenerCount).toBe(1);
    stream.close();
    expect(source.listenerCount).toBe(0);
    await sleep(0);
  });
});
