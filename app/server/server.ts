// Starts and ends the browser door: one HTTP server on one address, for one studio.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { RushesError } from "../../contract/errors.ts";
import type { Handlers } from "../channels/handlers.ts";
import type { ErrorLog } from "../channels/internal-error.ts";
import type { MediaAnswer, MediaItem } from "../channels/media-response.ts";
import { Pages } from "../channels/page-response.ts";
import { Access } from "./access.ts";
import { browserDoor } from "./browser-door.ts";
import { type EventSource, EventStream } from "./event-stream.ts";
import { openapi } from "./openapi.ts";
import { bracketed, Origins } from "./origin.ts";
import { routes } from "./routes.ts";
import type { Uploads } from "../channels/uploads.ts";

export interface ServerOptions {
  readonly handlers: Partial<Handlers>;
  readonly events: EventSource;
  /** Videos, posters, previews, exports of the studio; uploads are the server's own. */
  readonly media: (item: MediaItem) => Promise<MediaAnswer> | MediaAnswer;
  readonly version: string;
  readonly token: string;
  /** An address of this machine; "0.0.0.0" or "::" for all of them. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Further names the server is reached by. */
  readonly allowHosts: readonly string[];
  /** Folders inside which clients may name paths, absolute. */
  readonly roots: readonly string[];
  /** The built window. */
  readonly pagesFolder: string;
  readonly uploads: Uploads;
  /** Gets what went wrong inside. */
  readonly log: ErrorLog;
}

export interface RunningServer {
  readonly port: number;
  /** http://127.0.0.1:7777 */
  readonly address: string;
  /** The address with the token, for a browser. */
  readonly link: string;
  /** Refuses what is new, ends what is open within two seconds. */
  close(): Promise<void>;
}

/** A body that takes longer than this has stopped coming. */
const bodyMinutes = 30;
/** A connection on which nothing moves for this long; event streams have their heartbeat. */
const idleMinutes = 5;
const mostConnections = 4096;
/** How long answers under way may take once the server ends, milliseconds. */
const patience = 1500;

/** Listens. Throws usage.invalid when the port is taken or the address is not this machine's. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  let listener: ReturnType<typeof getRequestListener> | null = null;
  const server = createServer((request, response) => void listener?.(request, response));
  server.requestTimeout = bodyMinutes * 60_000;
  server.headersTimeout = 20_000;
  server.timeout = idleMinutes * 60_000;
  server.maxConnections = mostConnections;
  await listen(server, options);

  const { port } = server.address() as AddressInfo;
  const { token, host, uploads } = options;
  const address = `http://${shownHost(host)}:${port}`;
  const events = new EventStream(options.events);
  const app = routes({
    handlers: options.handlers,
    door: browserDoor(options.roots),
    access: new Access(token, port),
    origins: new Origins(host, port, options.allowHosts),
    events,
    media: { media: (item) => (item.kind === "upload" ? uploads.picture(item.id) : options.media(item)) },
    pages: new Pages(options.pagesFolder),
    uploads,
    log: options.log,
    openapi: () => openapi(options.version, address),
  });
  listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  return {
    port,
    address,
    link: `${address}/open?token=${token}`,
    close: async () => {
      // Nobody is let in first: clients whose stream ends come back at once.
      const closed = close(server);
      events.close();
      await closed;
    },
  };
}

function listen(server: Server, { host, port }: ServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)));
    server.listen({ host, port, exclusive: true }, resolve);
  });
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): RushesError {
  const detail = error.message;
  switch (error.code) {
    case "EADDRINUSE":
      return new RushesError("usage.invalid", {
        sentence: `Port ${port} is already in use on this machine.`,
        advice: "Choose another one with --port, or any free one with --port 0.",
        detail,
      });
    case "EACCES":
      return new RushesError("usage.invalid", {
        sentence: `Port ${port} may not be used by ordinary programs.`,
        advice: "Choose one above 1023 with --port.",
        detail,
      });
    default:
      return new RushesError("usage.invalid", {
        sentence: `The server cannot listen on ${host}.`,
        advice: "Give an address of this machine with --host, or leave it out.",
        detail,
      });
  }
}

/** What to put into a browser's address bar for a server that listens on everything. */
function shownHost(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "[::1]" : bracketed(host);
}

function close(server: Server): Promise<void> {
  const cut = setTimeout(() => server.closeAllConnections(), patience);
  return new Promise((resolve) => {
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}
