// Which paths a browser may name.
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { allowedPath } from "../../../app/server/browser-door.ts";

let folder = "";
beforeEach(() => void (folder = realpathSync(mkdtempSync(join(tmpdir(), "rushes-roots-")))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("lie in any of the roots, also where another root cannot be looked at", async () => {
  const good = join(folder, "good");
  const lost = join(folder, "lost");
  mkdirSync(good);
  symlinkSync(lost, lost);
  expect(await allowedPath(join(good, "model.pth"), [lost, good])).toBe(join(good, "model.pth"));
  await expect(allowedPath(join(lost, "model.pth"), [lost, good])).rejects.toMatchObject({ code: "path.refused" });
  await expect(allowedPath("/etc/passwd", [lost, good])).rejects.toMatchObject({ code: "path.refused" });
});
