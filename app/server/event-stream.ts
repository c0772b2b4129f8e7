// The studio's events over HTTP (server-sent events). A client that comes back is told what it missed from a bounded buffer,
// else to ask for everything again; one that does not read is let go, so that memory never grows with it.
import { randomBytes } from "node:crypto";
import type { StudioEvent } from "../../contract/channels.ts";

/** What is kept for clients that come back. */
const keptEvents = 2000;
const keptBytes = 1_000_000;
/** Unread bytes at which a client is let go. */
const mostUnread = 2_000_000;
const mostClients = 200;
/** Between signs of life, milliseconds; a client that read nothing during three of them is let go. */
export const heartbeatPeriod = 10_000;
const mostMissed = 3;
/** How long events are kept for clients that may come back, once the last one is gone, milliseconds. */
const listenOn = 120_000;

interface Client {
  readonly controller: ReadableStreamDefaultController<Uint8Array>;
  /** Ends the connection itself: what lies in the system's buffers is given up too. */
  readonly cut: () => void;
  missed: number;
}

interface KeptEvent {
  readonly number: number;
  readonly bytes: Uint8Array;
}

export interface EventSource {
  /** Calls back for every event until the returned function is called. */
  listen(listener: (event: StudioEvent) => void): () => void;
}

export class EventStream {
  readonly #source: EventSource;
  readonly #clients = new Set<Client>();
  readonly #kept: KeptEvent[] = [];
  readonly #heart: NodeJS.Timeout;
  /** Ends listening; null while nobody is there to hear (a studio that is heard makes previews). */
  #stop: (() => void) | null = null;
  #leftAt = 0;
  /** Names what was heard without a break: ids of an earlier start of the program, or from before a pause, are not known. */
  #span = "";
  #keptBytes = 0;
  #latest = 0;
  #closed = false;

  constructor(source: EventSource, period = heartbeatPeriod) {
    this.#source = source;
    this.#heart = setInterval(() => this.#beat(), period).unref();
  }

  get clientCount(): number {
    return this.#clients.size;
  }

  /** The endless answer. `cut` ends the connection of a client that does not read. */
  respond(request: Request, cut: () => void): Response {
    if (this.#closed || this.#clients.size >= mostClients)
      return new Response("Too many listeners\n", { status: 503, headers: { "retry-after": "5" } });
    this.#listen();
    const lastId = request.headers.get("last-event-id") ?? new URL(request.url).searchParams.get("after");
    let client: Client;
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          client = { controller, cut, missed: 0 };
          // A first line at once: the browser knows that it is connected.
          controller.enqueue(encode(`retry: 1000\nid: ${this.#span}.${this.#latest}\n: connected\n\n`));
          for (const bytes of this.#since(lastId)) controller.enqueue(bytes);
          this.#clients.add(client);
        },
        cancel: () => this.#leave(client),
      },
      { highWaterMark: mostUnread, size: (chunk) => chunk?.byteLength ?? 0 },
    );
    return new Response(body, {
      headers: {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
      },
    });
  }

  /** Ends every stream; clients come back by themselves when there is a server again. */
  close(): void {
    this.#closed = true;
    this.#stop?.();
    clearInterval(this.#heart);
    for (const { controller } of this.#clients) controller.close();
    this.#clients.clear();
  }

  #listen(): void {
    if (this.#stop) return;
    this.#span = randomBytes(6).toString("base64url");
    this.#stop = this.#source.listen((event) => this.#take(event));
  }

  #leave(client: Client): void {
    this.#clients.delete(client);
    this.#leftAt = Date.now();
  }

  #rest(): void {
    this.#stop?.();
    this.#stop = null;
    this.#kept.length = 0;
    this.#keptBytes = 0;
  }

  #take(event: StudioEvent): void {
    const bytes = encode(`id: ${this.#span}.${event.number}\ndata: ${JSON.stringify(event)}\n\n`);
    this.#latest = event.number;
    this.#kept.push({ number: event.number, bytes });
    this.#keptBytes += bytes.byteLength;
    while (this.#kept.length > keptEvents || this.#keptBytes > keptBytes)
      this.#keptBytes -= this.#kept.shift()?.bytes.byteLength ?? 0;
    for (const client of this.#clients) this.#send(client, bytes);
  }

  /** What a client that saw `lastId` has missed; a "resync" where that is no longer known. */
  #since(lastId: string | null): Uint8Array[] {
    if (lastId === null) return [];
    const [, span, digits] = /^([\w-]+)\.(\d{1,15})$/.exec(lastId) ?? [];
    const seen = Number(digits);
    const first = this.#kept[0]?.number ?? this.#latest + 1;
    const known = span === this.#span && seen <= this.#latest && seen + 1 >= first;
    if (!known) return [encode(`event: resync\nid: ${this.#span}.${this.#latest}\ndata: {}\n\n`)];
    return this.#kept.filter(({ number }) => number > seen).map(({ bytes }) => bytes);
  }

  #send(client: Client, bytes: Uint8Array): void {
    if ((client.controller.desiredSize ?? 0) < bytes.byteLength) this.#drop(client);
    else client.controller.enqueue(bytes);
  }

  #beat(): void {
    if (this.#clients.size === 0 && Date.now() - this.#leftAt > listenOn) this.#rest();
    const sign = encode(": alive\n\n");
    for (const client of this.#clients) {
      const waits = (client.controller.desiredSize ?? 0) < mostUnread;
      client.missed = waits ? client.missed + 1 : 0;
      if (client.missed >= mostMissed) this.#drop(client);
      else this.#send(client, sign);
    }
  }

  #drop(client: Client): void {
    this.#leave(client);
    client.cut();
  }
}

const encoder = new TextEncoder();
function encode(text: string): Uint8Array {
  return encoder.encode(text);
}
