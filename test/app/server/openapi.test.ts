// The description of the interface is valid, complete, and what the documentation's script relies on.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "fast-png";
import { Validator } from "@seriousme/openapi-schema-validator";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { channelNames } from "../../../app/channels/schemas.ts";
import { openapi } from "../../../app/server/openapi.ts";
import { errorTexts } from "../../../contract/errors.ts";
import { writeTinyImageModel } from "../../tiny-image-model.ts";
import { Plumbing } from "../engine/plumbing.ts";
import { projectRoot, ServeProcess } from "./serve-process.ts";

type SpecData = Exclude<Parameters<Validator["validate"]>[0], string>;

interface Description {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, { post?: { summary: string; operationId: string } }>>;
  readonly components: { readonly schemas: Readonly<Record<string, { enum?: string[] }>> };
}

const text = openapi("1.2.3", "http://127.0.0.1:7777");
const description = JSON.parse(text) as Description;

describe("the description", () => {
  test("is OpenAPI 3.1", async () => {
    const check = async (tried: string) => new Validator().validate(JSON.parse(tried) as SpecData);
    expect(await check(text)).toMatchObject({ valid: true });
    expect(await check(text.replace('"operationId"', '"operation"'))).toMatchObject({ valid: false });
    expect(description.openapi).toBe("3.1.0");
  });

  test("has every channel, with words", () => {
    for (const name of channelNames) {
      const operation = description.paths[`/api/${name.replace(":", "/")}`]?.post;
      expect(operation?.summary, name).toMatch(/\S/);
    }
    const ids = Object.values(description.paths).flatMap(({ post }) => (post ? [post.operationId] : []));
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("has every reference it makes, and every error", () => {
    for (const [, name] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g))
      expect(description.components.schemas).toHaveProperty([name!]);
    expect(text).not.toContain("#/definitions/");
    expect(description.components.schemas["ErrorCode"]!.enum!.sort()).toEqual(Object.keys(errorTexts).sort());
  });
});

describe("the documentation's script", () => {
  let plumbing: Plumbing;
  let server: ServeProcess;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "rushes-script-"));
    plumbing = new Plumbing();
    server = await ServeProcess.start({ library: plumbing.library, environment: plumbing.environment });
  });
  afterAll(async () => {
    await server?.remove();
    plumbing?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  test("makes a video with curl", () => {
    const page = readFileSync(join(projectRoot, "docs/API.md"), "utf8");
    const script = /```bash\n(# Makes one video\.[\s\S]*?)```/.exec(page)![1]!;
    const environment = { ...process.env, ADDRESS: server.address, TOKEN: server.token };
    const said = execFileSync("bash", ["-c", script], { cwd: folder, env: environment, timeout: 60_000 }).toString();
    expect(said).toMatch(/^job 1\n/);
    expect(said).toMatch(/done\n$/);
    expect(readFileSync(join(folder, "video.mp4")).subarray(4, 8).toString()).toBe("ftyp");
  });

  test("makes one from a picture with curl", async () => {
    const { folder: models } = writeTinyImageModel(join(plumbing.library, "pictures"), { numFrames: 17 });
    await server.request("models:add", { path: models });
    writeFileSync(join(folder, "picture.png"), encode({ width: 8, height: 8, channels: 3, data: new Uint8Array(192) }));
    const page = readFileSync(join(projectRoot, "docs/API.md"), "utf8");
    const script = /```bash\n(# Makes one video that begins with[\s\S]*?)```/.exec(page)![1]!;
    const environment = { ...process.env, ADDRESS: server.address, TOKEN: server.token };
    const said = execFileSync("bash", ["-c", script], { cwd: folder, env: environment, timeout: 60_000 }).toString();
    expect(await server.finished(Number(said))).toMatchObject({ state: "done", mode: "i2v" });
    expect(plumbing.notes()).toContain(`picture of ${128 * 128 * 3} bytes, 0 0 0`);
  });

  test("the served description is this server's", async () => {
    const served = (await (await server.fetch("/api/openapi.json")).json()) as { servers: { url: string }[] };
    expect(served.servers).toEqual([{ url: server.address }]);
  });
});
