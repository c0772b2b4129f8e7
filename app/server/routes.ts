// The addresses of the server and in which order a request is looked at: host, token, origin, then what it asks for.
import type { HttpBindings } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { pictureAddress } from "../../contract/channels/media.ts";
import { RushesError } from "../../contract/errors.ts";
import type { Door } from "../channels/door.ts";
import type { Handlers } from "../channels/handlers.ts";
import { answeredError, type ErrorLog } from "../channels/internal-error.ts";
import { mediaResponse, type MediaSource } from "../channels/media-response.ts";
import { escaped, type Pages, plainPage, securityHeaders } from "../channels/page-response.ts";
import { pictureResponse } from "../channels/picture-response.ts";
import { answer, UnknownAddress } from "../channels/registry.ts";
import { answerUpload } from "../channels/upload-answer.ts";
import { type Access, TooManyAttempts } from "./access.ts";
import type { EventStream } from "./event-stream.ts";
import { statusOf } from "./http-status.ts";
import type { Origins } from "./origin.ts";
import { jsonBody } from "../channels/request-body.ts";
import type { Uploads } from "../channels/uploads.ts";

/** Bytes of a JSON request: long lists of prompts fit. */
const mostJsonBytes = 16_000_000;

export interface RouteParts {
  readonly handlers: Partial<Handlers>;
  readonly door: Door;
  readonly access: Access;
  readonly origins: Origins;
  readonly events: EventStream;
  readonly media: MediaSource;
  readonly pages: Pages;
  readonly uploads: Uploads;
  /** Gets what went wrong inside. */
  readonly log: ErrorLog;
  /** The description of the interface, as JSON text. */
  readonly openapi: () => string;
}

type Environment = { Bindings: HttpBindings };
type Asked = Context<Environment>;

export function routes(parts: RouteParts): Hono<Environment> {
  const { access, origins, handlers, door } = parts;
  const app = new Hono<Environment>();

  app.use(async (context, next) => {
    await next();
    for (const [name, value] of Object.entries(securityHeaders)) context.res.headers.set(name, value);
  });
  app.use(async (context, next) => {
    origins.checkHost(context.req.header("host") ?? null);
    await next();
  });

  // The printed link: the token becomes a cookie and leaves the address bar with the answer.
  app.get("/open", (context) => {
    access.checkToken(context.req.query("token") ?? "", addressOf(context));
    const headers = { location: "/?opened", "set-cookie": access.cookie, "cache-control": "no-store" };
    return new Response(null, { status: 303, headers });
  });

  app.use(async (context, next) => {
    const identity = access.identify(context.req.raw.headers, addressOf(context));
    if (identity === null) {
      // A link clicked on another site's page opens us without the cookie; a page of ours may bring it.
      if (isPage(context) && context.req.query("opened") !== undefined) return openingPage();
      throw new RushesError("request.unauthorised");
    }
    origins.checkSource(context.req.raw, identity);
    await next();
  });

  app.get("/api/events", ({ req, env }) => parts.events.respond(req.raw, () => env.outgoing.destroy()));
  app.get("/api/openapi.json", (context) =>
    context.body(parts.openapi(), 200, {
      "content-type": "application/json; charset=utf-8",
      "cache-control": "no-cache",
    }),
  );
  app.post("/api/studio/upload", async (context) => json(await answerUpload(context.req.raw, false, parts)));
  // For what is to be read and not kept, pictures that were exported included.
  app.post("/api/studio/restore", async (context) => json(await answerUpload(context.req.raw, true, parts)));
  app.post("/api/:subject/:verb", async (context) => {
    if (!/^application\/json\b/i.test(context.req.header("content-type") ?? ""))
      throw new RushesError("request.invalid", {
        sentence: 'Requests are JSON, with "content-type: application/json".',
      });
    const { subject, verb } = context.req.param();
    return json(await answer(handlers, `${subject}:${verb}`, await jsonBody(context.req.raw, mostJsonBytes), door));
  });
  app.all("/api/*", () => {
    throw new UnknownAddress("There is nothing at this address.");
  });
  app.on(["GET", "HEAD"], pictureAddress, (context) => pictureResponse(context.req.raw, door));
  app.on(["GET", "HEAD"], "/media/*", (context) => mediaResponse(context.req.raw, parts.media));
  app.on(["GET", "HEAD"], "*", (context) => {
    if (isPage(context) && context.req.query("opened") !== undefined) return context.redirect("/", 303);
    return parts.pages.respond(context.req.raw);
  });

  app.onError((thrown, context) =>
    refusal(answeredError(thrown, `${context.req.method} ${context.req.path}`, parts.log), context),
  );
  return app;
}

function json(reply: unknown): Response {
  return Response.json(reply, { headers: { "cache-control": "no-store" } });
}

/** Pages are told in words, everything else as a record. */
function refusal(error: RushesError, context: Asked): Response {
  const status = statusOf(error);
  const headers = new Headers({ "cache-control": "no-store" });
  if (error instanceof TooManyAttempts) headers.set("retry-after", String(error.seconds));
  // The rest of the body is not wanted: the next request needs another connection.
  if (status === 413) headers.set("connection", "close");
  if (status === 401) headers.set("www-authenticate", 'Bearer realm="Rushes"');
  const wantsPage = context.req.method === "GET" && /\btext\/html\b/.test(context.req.header("accept") ?? "");
  if (!wantsPage || context.req.path.startsWith("/api/")) return Response.json({ error }, { status, headers });
  const page = plainPage(status, escaped(error.message), escaped(error.advice));
  headers.forEach((value, name) => page.headers.set(name, value));
  return page;
}

function openingPage(): Response {
  return plainPage(
    401,
    "Opening Rushes",
    '<a href="/">Open Rushes</a>',
    '<meta http-equiv="refresh" content="0; url=/">',
  );
}

function isPage({ req }: Asked): boolean {
  return (req.method === "GET" || req.method === "HEAD") && req.path === "/";
}

function addressOf({ env }: Asked): string {
  return env.incoming.socket.remoteAddress ?? "";
}
