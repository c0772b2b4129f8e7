// The window's own files (out/renderer) as answers to web requests, with the policy that guards the page. Files are looked
// up in a list made from the folder, never joined from an address. The server and the shell's app:// protocol share it.
import { type Dirent, readdirSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileResponse, notFound } from "./file-response.ts";

/** What the page may load: its own files, and pictures it made itself. Nothing from elsewhere, no inline script. */
export const contentPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "media-src 'self' blob:",
  "connect-src 'self'",
  "font-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Sent with everything, pages, pictures and answers alike. */
export const securityHeaders: Readonly<Record<string, string>> = {
  "content-security-policy": contentPolicy,
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), microphone=(), geolocation=(), usb=(), payment=()",
};

const contentTypes: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  mjs: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  json: "application/json; charset=utf-8",
  map: "application/json; charset=utf-8",
  svg: "image/svg+xml",
  png: "image/png",
  ico: "image/x-icon",
  woff2: "font/woff2",
  wasm: "application/wasm",
  txt: "text/plain; charset=utf-8",
};

/** Vite's names carry a hash of the content: main-B2xk3_9a.js. */
const hashedName = /-[A-Za-z0-9_-]{8}\.[a-z0-9]+$/;
const forEver = "private, max-age=31536000, immutable";

/** The built window in a folder. */
export class Pages {
  readonly #folder: string;
  #files = new Map<string, string>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Answers GET and HEAD of the page and its files; 404 for anything else, 503 with a readable page when the window has not
   * been built. */
  async respond(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const isPage = pathname === "/" || pathname === "/index.html";
    // A window that was built meanwhile is found with its next page.
    if (isPage || this.#files.size === 0) this.#files = filesOf(this.#folder);
    const path = this.#files.get(isPage ? "/index.html" : pathname);
    if (path === undefined) return isPage ? notBuilt() : notFound();
    const type = contentTypes[/\.([a-z0-9]+)$/.exec(path)?.[1] ?? ""] ?? "application/octet-stream";
    const cache = isPage ? "no-store" : hashedName.test(path) ? forEver : "private, no-cache";
    return await fileResponse(request, { path, type, cache });
  }
}

/** Address -> path of every file under the folder. */
function filesOf(folder: string): Map<string, string> {
  let entries: Dirent[];
  try {
    entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  } catch {
    return new Map();
  }
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(paths.map((path) => [`/${relative(folder, path).replaceAll(sep, "/")}`, path]));
}

function notBuilt(): Response {
  return plainPage(
    503,
    "The window has not been built",
    "Run <code>npm run build</code> once, then load this page again.",
  );
}

/** Text as it stands between tags. */
export function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** A page of few words, without script or style. All of it is markup: what is not ours goes through `escaped`. */
export function plainPage(status: number, title: string, words: string, head = ""): Response {
  const text = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="dark light">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Rushes: ${title}</title>${head}</head>
<body><main><h1>${title}</h1><p>${words}</p></main></body></html>
`;
  const headers = { "content-type": contentTypes["html"]!, "cache-control": "no-store" };
  return new Response(text, { status, headers });
}
