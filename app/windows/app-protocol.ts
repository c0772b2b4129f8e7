// app://rushes/...: the page and its files, pictures and videos with byte ranges, and files that are sent because they have
// no path (a pasted picture). Answered by the same functions as the server's requests; other requests go over IPC.
import type { CustomScheme, Protocol } from "electron";
import { pictureAddress } from "../../contract/channels/media.ts";
import { RushesError } from "../../contract/errors.ts";
import { answeredError, type ErrorLog } from "../channels/internal-error.ts";
import { notFound } from "../channels/file-response.ts";
import { mediaResponse, type MediaSource } from "../channels/media-response.ts";
import { type Pages, securityHeaders } from "../channels/page-response.ts";
import { pictureResponse } from "../channels/picture-response.ts";
import { answerUpload, type UploadParts } from "../channels/upload-answer.ts";
import { originOf } from "../ipc/sender-check.ts";
import { appOrigin, appScheme } from "./app-address.ts";

export interface AppParts extends UploadParts {
  readonly pages: Pages;
  readonly media: MediaSource;
  /** Gets what went wrong inside. */
  readonly log: ErrorLog;
}

/** What the scheme may do; to be registered before the program is ready. */
export const appSchemePrivileges: CustomScheme = {
  scheme: appScheme,
  privileges: {
    // An origin, relative addresses, storage.
    standard: true,
    // A secure context: WebCodecs, clipboard.
    secure: true,
    // Uploads of pasted pictures.
    supportFetchAPI: true,
    // Videos are answered piece by piece.
    stream: true,
    // Scripts are compiled once.
    codeCache: true,
  },
};

export function serveAppScheme(protocol: Pick<Protocol, "handle">, parts: AppParts): void {
  protocol.handle(appScheme, (request) => appResponse(request, parts));
}

/** Never rejects: what goes wrong is an answer too. */
export async function appResponse(request: Request, parts: AppParts): Promise<Response> {
  let response: Response;
  try {
    response = await respond(request, parts);
  } catch (thrown) {
    const error = answeredError(thrown, `${request.method} ${new URL(request.url).pathname}`, parts.log);
    response = Response.json({ error }, { status: error.code === "engine.internal" ? 500 : 400 });
  }
  for (const [name, value] of Object.entries(securityHeaders)) response.headers.set(name, value);
  return response;
}

async function respond(request: Request, parts: AppParts): Promise<Response> {
  if (originOf(request.url) !== appOrigin) return notFound();
  const { pathname } = new URL(request.url);
  if (request.method === "POST") {
    if (pathname === "/api/studio/upload") return json(await answerUpload(request, false, parts));
    if (pathname === "/api/studio/restore") return json(await answerUpload(request, true, parts));
    throw new RushesError("request.invalid", { sentence: "There is nothing at this address." });
  }
  if (request.method !== "GET" && request.method !== "HEAD") return notFound();
  if (pathname === pictureAddress) return await pictureResponse(request, parts.door);
  return pathname.startsWith("/media/")
    ? await mediaResponse(request, parts.media)
    : await parts.pages.respond(request);
}

function json(reply: unknown): Response {
  return Response.json(reply, { headers: { "cache-control": "no-store" } });
}
