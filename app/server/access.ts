// Who may speak to the server: whoever holds its token, as a Bearer header (scripts) or as the cookie that the printed link
// sets (browsers). Where a request may come from is origin.ts.
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { RushesError } from "../../contract/errors.ts";

/** Characters of a token that was given instead of drawn: enough that guessing is hopeless. */
const shortestToken = 32;
/** Wrong tokens an address may try in `period` before it is told to wait. */
const mostWrong = 10;
const period = 60_000;
/** Addresses remembered; the oldest is forgotten. */
const mostAddresses = 1000;

export type Identity = "bearer" | "cookie";

export class Access {
  readonly token: string;
  /** Cookies know no ports: with the port in its name two servers of one machine keep apart. */
  readonly #cookieName: string;
  /** Not the token itself, so that a cookie jar's reader holds no token for scripts. */
  readonly #cookieValue: string;
  readonly #wrong = new Map<string, { count: number; since: number }>();

  constructor(token: string, port: number) {
    this.token = token;
    this.#cookieName = `rushes-${port}`;
    this.#cookieValue = createHash("sha256").update(`cookie of ${port}: ${token}`).digest("base64url");
  }

  /** Set-Cookie for a browser that came with the token; ends with the browser's session. */
  get cookie(): string {
    return `${this.#cookieName}=${this.#cookieValue}; Path=/; HttpOnly; SameSite=Strict`;
  }

  /** Who asks, or null where nothing was brought along. Throws request.unauthorised for a wrong token, and counts it. */
  identify(headers: Headers, address: string): Identity | null {
    const bearer = /^Bearer +(\S+)\s*$/i.exec(headers.get("authorization") ?? "")?.[1];
    if (bearer !== undefined) {
      this.checkToken(bearer, address);
      return "bearer";
    }
    const value = cookieOf(headers.get("cookie"), this.#cookieName);
    // A cookie of an earlier start is no attempt at guessing.
    return value !== null && same(value, this.#cookieValue) ? "cookie" : null;
  }

  /** Throws request.unauthorised for a wrong token. The right one passes even from an address that guessed: locking its
   * owner out would be a gift to whoever shares the address. */
  checkToken(token: string, address: string): void {
    if (same(token, this.token)) return;
    const now = Date.now();
    const known = this.#wrong.get(address);
    const wrong = known && now - known.since < period ? known : { count: 0, since: now };
    wrong.count++;
    this.#wrong.delete(address);
    this.#wrong.set(address, wrong);
    if (this.#wrong.size > mostAddresses) this.#wrong.delete(this.#wrong.keys().next().value ?? "");
    if (wrong.count > mostWrong) throw new TooManyAttempts(Math.ceil((wrong.since + period - now) / 1000));
    throw new RushesError("request.unauthorised", { sentence: "The token is wrong." });
  }
}

/** Answered with 429. */
export class TooManyAttempts extends RushesError {
  readonly seconds: number;

  constructor(seconds: number) {
    super("request.unauthorised", {
      sentence: "Too many wrong tokens came from this address.",
      advice: `Open the printed link, or wait ${seconds} seconds.`,
    });
    this.seconds = seconds;
  }
}

/** 256 random bits. */
export function drawToken(): string {
  return randomBytes(32).toString("base64url");
}

/** A token that somebody chose. Throws usage.invalid when it can be guessed or cannot stand in a header or an address. */
export function checkChosenToken(text: string, origin: string): string {
  const token = text.trim();
  if (/^[\w.~-]+$/.test(token) && token.length >= shortestToken) return token;
  throw new RushesError("usage.invalid", {
    sentence: `The token in ${origin} cannot be used.`,
    advice: `Use at least ${shortestToken} letters, digits, "-", "_", "." or "~"; \`openssl rand -hex 32\` prints some.`,
  });
}

/** Takes the same time wherever the two differ. */
function same(one: string, other: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}

function cookieOf(header: string | null, name: string): string | null {
  for (const pair of (header ?? "").split(";")) {
    const [key = "", value = ""] = pair.split("=", 2);
    if (key.trim() === name) return value.trim();
  }
  return null;
}
