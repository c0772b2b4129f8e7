// Where a request may come from: the address in its Host header must be ours (a foreign name that was made to point at this
// machine is not), and what a page elsewhere makes the browser send is refused. Who asks is access.ts.
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { RushesError } from "../../contract/errors.ts";
import type { Identity } from "./access.ts";

/** Addresses that always mean this machine, as they stand in an address bar. */
const localNames = ["127.0.0.1", "localhost", "[::1]"];

export class Origins {
  readonly #port: number;
  readonly #names: ReadonlySet<string>;
  readonly #anyOwnAddress: boolean;

  /** `host`: what the server listens on. `names`: further names it is reached by (--allow-host), with or without a port. */
  constructor(host: string, port: number, names: readonly string[]) {
    this.#port = port;
    this.#anyOwnAddress = host === "0.0.0.0" || host === "::";
    this.#names = new Set([...localNames, bracketed(host), ...names].map((name) => name.toLowerCase()));
  }

  /** Throws unless the Host header names this server. */
  checkHost(host: string | null): void {
    if (host !== null && this.#isOwn(host.toLowerCase())) return;
    throw refused(
      "This name is not one of the server's.",
      "Start it with --allow-host NAME to be reached by another name.",
    );
  }

  /** Throws when a page of another origin made the browser send this. Scripts with a Bearer token send no Origin. */
  checkSource(request: Request, identity: Identity): void {
    const { headers, method } = request;
    const origin = headers.get("origin");
    const site = headers.get("sec-fetch-site");
    const changes = method !== "GET" && method !== "HEAD";
    if (origin !== null && !this.#isOwnOrigin(origin, headers.get("host"))) throw foreign();
    // "same-site" is another port of this machine: another program's page.
    const isPage = headers.get("sec-fetch-mode") === "navigate" && !changes;
    if (site !== null && site !== "same-origin" && site !== "none" && !isPage) throw foreign();
    // The cookie goes along by itself, so that it alone proves nothing about who wanted the change.
    if (changes && identity === "cookie" && origin === null && site !== "same-origin") throw foreign();
  }

  #isOwn(host: string): boolean {
    if (this.#names.has(host)) return !localNames.includes(host) || this.#port === 80;
    const [, name = "", port = ""] = /^(\[[^\]]*\]|[^:]*):(\d{1,5})$/.exec(host) ?? [];
    if (Number(port) !== this.#port) return false;
    return this.#names.has(name) || (this.#anyOwnAddress && ownAddresses().has(name));
  }

  #isOwnOrigin(origin: string, host: string | null): boolean {
    // Behind a proxy that adds encryption the page's scheme is https and the host is the proxy's name.
    return host !== null && (origin === `http://${host}` || origin === `https://${host}`);
  }
}

/** True for an address only this machine can reach. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

/** IPv6 addresses stand in brackets in an address. */
export function bracketed(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host;
}

/** This machine's addresses. A name can be made to point here by anybody, a number cannot. */
export function ownAddresses(): Set<string> {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return new Set(all.map(({ address }) => bracketed(address)));
}

function foreign(): RushesError {
  return refused("This request comes from a page of another origin.", "Use the page that the printed link opens.");
}

/** Answered with 403. */
export class ForeignRequest extends RushesError {}

function refused(sentence: string, advice: string): RushesError {
  return new ForeignRequest("request.unauthorised", { sentence, advice });
}
