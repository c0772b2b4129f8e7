// Who may speak to the server, asked of a real one: token, cookie, host, origin, guessing.
import { readFileSync, statSync } from "node:fs";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rawRequest } from "./raw-request.ts";
import { ServeProcess } from "./serve-process.ts";

let server: ServeProcess;
beforeAll(async () => {
  server = await ServeProcess.start();
});
afterAll(() => server?.remove());

const state = "/api/queue/state";
const json = { "content-type": "application/json" };
const plain = (path: string, init: RequestInit = {}) =>
  fetch(`${server.address}${path}`, { redirect: "manual", ...init });
const cookieOf = async () => {
  const opened = await plain(`/open?token=${server.token}`);
  return opened.headers.get("set-cookie")!.split(";")[0]!;
};

describe("the token", () => {
  test("has 256 bits, is the same in link and file, and the file is its owner's alone", () => {
    expect(server.token).toMatch(/^[\w-]{43}$/);
    expect(server.link).toBe(`${server.address}/open?token=${server.token}`);
    expect(statSync(server.started.tokenFile).mode & 0o777).toBe(0o600);
    expect(readFileSync(server.started.tokenFile, "utf8").trim()).toBe(server.token);
  });

  test("is asked for at every address", async () => {
    for (const path of ["/", "/index.html", "/media/video/1", "/api/events", "/api/openapi.json", "/assets/x.js", "/x"])
      expect((await plain(path)).status, path).toBe(401);
    expect((await plain(state, { method: "POST", headers: json, body: "{}" })).status).toBe(401);
    expect((await plain("/api/studio/upload", { method: "POST", body: "x" })).status).toBe(401);
  });

  test("lets scripts in as Bearer", async () => {
    const answer = await server.post(state, "{}");
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ paused: false, waiting: [] });
  });

  test("of a browser becomes an HttpOnly, SameSite=Strict cookie that is not the token", async () => {
    const opened = await plain(`/open?token=${server.token}`);
    expect(opened.status).toBe(303);
    expect(opened.headers.get("location")).toBe("/?opened");
    const cookie = opened.headers.get("set-cookie")!;
    expect(cookie).toMatch(/^rushes-\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
    expect(cookie).not.toContain(server.token);
    const headers = { cookie: await cookieOf(), origin: server.address, ...json };
    expect((await plain(state, { method: "POST", headers, body: "{}" })).status).toBe(200);
    const clean = await plain("/?opened", { headers: { cookie: await cookieOf() } });
    expect(clean.headers.get("location")).toBe("/");
  });

  test.each(["", "?token=", "?token=wrong", "?token[]=x", "?token=%00"])("is not /open%s", async (query) => {
    const answer = await plain(`/open${query}`);
    expect([401, 429]).toContain(answer.status);
    expect(answer.headers.get("set-cookie")).toBeNull();
  });

  test("that is wrong is slowed down after ten tries, and the right one still passes", async () => {
    const attempt = () =>
      plain(state, { method: "POST", headers: { ...json, authorization: "Bearer wrong" }, body: "{}" });
    const statuses = await Promise.all(Array.from({ length: 30 }, async () => (await attempt()).status));
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(15);
    expect(new Set(statuses.filter((status) => status !== 429 && status !== 401))).toEqual(new Set());
    expect(Number((await attempt()).headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await server.post(state, "{}")).status).toBe(200);
  });

  test("and its cookie stay with their own server", async () => {
    const other = await ServeProcess.start();
    try {
      expect(other.token).not.toBe(server.token);
      const headers = { ...json, cookie: await cookieOf(), origin: other.address };
      const answer = await fetch(`${other.address}${state}`, { method: "POST", headers, body: "{}" });
      expect(answer.status).toBe(401);
      const opened = await fetch(other.link, { redirect: "manual" });
      expect(opened.headers.get("set-cookie")!.split("=")[0]).not.toBe((await cookieOf()).split("=")[0]);
    } finally {
      await other.remove();
    }
  });
});

describe("the Host header", () => {
  const ask = (host: string) =>
    rawRequest(server.started.port, [
      "GET /api/openapi.json HTTP/1.1",
      `host: ${host}`,
      `authorization: Bearer ${server.token}`,
    ]);
  const port = () => server.started.port;

  test.each([
    ["127.0.0.1", () => `127.0.0.1:${port()}`],
    ["localhost", () => `localhost:${port()}`],
    ["LOCALHOST", () => `LocalHost:${port()}`],
    ["[::1]", () => `[::1]:${port()}`],
  ])("%s is ours", async (_name, host) => {
    expect((await ask(host())).status).toBe(200);
  });

  test.each([
    ["a rebound name", () => `attacker.example:${port()}`],
    ["a name that ends in ours", () => `evil-localhost:${port()}`],
    ["a name that begins with ours", () => `localhost.attacker.example:${port()}`],
    ["another port", () => "127.0.0.1:1"],
    ["no port", () => "localhost"],
    ["another address", () => `10.0.0.1:${port()}`],
    ["with a user", () => `x@127.0.0.1:${port()}`],
    ["nothing", () => ""],
  ])("%s is refused", async (_name, host) => {
    const { status, text } = await ask(host());
    expect(status).toBeGreaterThanOrEqual(400);
    expect(text).not.toContain('"openapi"');
  });
});

describe("the Origin header", () => {
  const post = async (headers: Record<string, string>) =>
    (await plain(state, { method: "POST", headers: { ...json, cookie: await cookieOf(), ...headers }, body: "{}" }))
      .status;

  test("must be ours where the cookie speaks", async () => {
    expect(await post({ origin: server.address })).toBe(200);
    expect(await post({ origin: "http://attacker.example" })).toBe(403);
    expect(await post({ origin: "null" })).toBe(403);
    expect(await post({ origin: "http://127.0.0.1:1" })).toBe(403);
    expect(await post({ origin: server.address.replace("127.0.0.1", "localhost") })).toBe(403);
    expect(await post({ "sec-fetch-site": "cross-site" })).toBe(403);
    expect(await post({})).toBe(403);
  });

  test("is looked at for events, media and the page's files too", async () => {
    const cookie = await cookieOf();
    for (const path of ["/api/events", "/media/video/1", "/assets/x.js"]) {
      const origin = { cookie, origin: "http://attacker.example" };
      expect((await plain(path, { headers: origin })).status, path).toBe(403);
    }
    // fetch sets Sec-Fetch-Mode itself.
    const events = await rawRequest(server.started.port, [
      "GET /api/events HTTP/1.1",
      `host: 127.0.0.1:${server.started.port}`,
      `cookie: ${cookie}`,
      "sec-fetch-site: same-site",
      "sec-fetch-mode: cors",
    ]);
    expect(events.status).toBe(403);
  });

  test("of another site never gets permission to read", async () => {
    for (const method of ["OPTIONS", "POST"]) {
      const answer = await plain(state, {
        method,
        headers: { origin: "http://attacker.example", "access-control-request-method": "POST", ...json },
      });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect([...answer.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
    }
  });
});

test("every answer carries the headers that guard the page", async () => {
  for (const path of ["/", "/api/openapi.json", "/media/video/999", "/nothing"]) {
    const { headers } = await server.fetch(path);
    expect(headers.get("content-security-policy"), path).toContain("default-src 'none'");
    expect(headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    expect(headers.get("cross-origin-opener-policy")).toBe("same-origin");
    expect(headers.get("cross-origin-resource-policy")).toBe("same-origin");
  }
});

describe("the address it listens on", () => {
  test("is this machine's own and no other", async () => {
    const listening = ["tcp", "tcp6"].flatMap((table) => listeningAddresses(table, server.started.port));
    // 127.0.0.1 as the kernel writes it.
    expect(listening).toEqual(["0100007F"]);
    const others = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
    for (const { address, internal } of others) {
      if (internal || address.startsWith("fe80")) continue;
      expect(await reached(address, server.started.port), address).toBe(false);
    }
  });

  test("may be all of them when asked for, with a warning, and still only by our names", async () => {
    const open = await ServeProcess.start({ words: ["--host", "0.0.0.0", "--allow-host", "studio.example"] });
    try {
      const ask = (host: string) =>
        rawRequest(open.started.port, [
          "GET /api/openapi.json HTTP/1.1",
          `host: ${host}`,
          `authorization: Bearer ${open.token}`,
        ]);
      const { port } = open.started;
      const own = Object.values(networkInterfaces())
        .flatMap((all) => all ?? [])
        .find(({ family, internal }) => family === "IPv4" && !internal);
      if (own) expect((await ask(`${own.address}:${port}`)).status).toBe(200);
      expect((await ask(`studio.example:${port}`)).status).toBe(200);
      expect((await ask(`attacker.example:${port}`)).status).toBe(403);
      expect((await ask(`203.0.113.7:${port}`)).status).toBe(403);
    } finally {
      await open.remove();
    }
  });
});

/** Addresses on which something listens on the port, in hexadecimal; /proc/net has a table for IPv4 and one for IPv6. */
function listeningAddresses(table: string, port: number): string[] {
  const rows = readFileSync(`/proc/net/${table}`, "utf8").split("\n").slice(1);
  const fields = rows.map((row) => row.trim().split(/\s+/)).filter((row) => row[3] === "0A");
  const places = fields.map((row) => row[1]!.split(":"));
  return places.filter(([, hex]) => parseInt(hex!, 16) === port).map(([address]) => address!);
}

function reached(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 3000 });
    const end = (answer: boolean) => () => {
      socket.destroy();
      resolve(answer);
    };
    socket.on("connect", end(true)).on("error", end(false)).on("timeout", end(false));
  });
}
