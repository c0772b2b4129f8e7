// Settings out of whatever is dropped on the window: our MP4, WebM and PNG give them back, everything else is refused, and
// no file makes the program crash, hang or eat memory.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "fast-png";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readClip } from "../../../app/media/read-clip.ts";
import { muxVideo } from "../../../app/media/mp4.ts";
import { asciiRecord, pngKeyword, readVideoSettings, type VideoRecord } from "../../../app/media/video-record.ts";
import { muxWebm } from "../../../app/media/webm.ts";
import { encodedClip } from "./encoded-clip.ts";

const record: VideoRecord = {
  rushes: 1,
  job: "5c2f",
  model: "demo",
  settings: { prompt: 'A "red" ball \\ 红球 🎾 \n second line', seed: 9007199254740991, image: null },
};
const form = { width: 64, height: 64, frameRate: 16 };

let folder = "";
let ours: Record<"mp4" | "webm" | "png", Uint8Array>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "rushes-record-"));
  const webmPath = join(folder, "vp9.ivf");
  execFileSync("ffmpeg", [
    ...["-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=16", "-frames:v", "9"],
    ...["-c:v", "libvpx-vp9", "-deadline", "realtime", webmPath],
  ]);
  const picture = { width: 3, height: 2, data: new Uint8Array(18), channels: 3, depth: 8 } as const;
  ours = {
    mp4: await muxVideo(encodedClip(64, 64, 9), form, record),
    webm: await muxWebm(ivfPackets(webmPath), form, record),
    png: encode({ ...picture, text: { [pngKeyword]: asciiRecord(record) } }),
  };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const containers = ["mp4", "webm", "png"] as const;

describe("our own files", () => {
  test.each(containers)(
    "%s gives its settings back, from the disk under any name and from memory",
    async (container) => {
      const path = join(folder, `${container}.unknown`);
      writeFileSync(path, ours[container]);
      expect(await readVideoSettings(path)).toEqual({ container, record });
      expect(await readVideoSettings(ours[container])).toEqual({ container, record });
    },
  );
});

describe("other files", () => {
  test.each<[string, () => Uint8Array]>([
    ["nothing", () => new Uint8Array()],
    ["text", () => Buffer.from("not a video at all")],
    ["another program's MP4", () => foreign("mp4")],
    ["another program's WebM", () => foreign("webm")],
    ["a PNG without text", () => encode({ width: 1, height: 1, data: new Uint8Array(3), channels: 3, depth: 8 })],
    ["a PNG that says something else", () => pngSaying("A comment")],
    ["a PNG with another program's JSON", () => pngSaying('{"rushes":2}')],
    ["a PNG with settings that are a list", () => pngSaying('{"rushes":1,"job":"a","model":"b","settings":[]}')],
  ])("%s is video.foreign", async (_name, bytes) => {
    await expect(readVideoSettings(bytes())).rejects.toMatchObject({ code: "video.foreign" });
  });

  test("a missing file, a folder and a pipe are file.unreadable", async () => {
    mkdirSync(join(folder, "folder"));
    execFileSync("mkfifo", [join(folder, "pipe")]);
    for (const name of ["none.mp4", "folder", "pipe", "a\0b"])
      await expect(readVideoSettings(join(folder, name)), name).rejects.toMatchObject({ code: "file.unreadable" });
  });

  test("gigabytes of nothing are refused at once", async () => {
    const path = join(folder, "huge.mp4");
    for (const container of containers) {
      writeFileSync(path, ours[container].subarray(0, 16));
      truncateSync(path, 5 * 2 ** 30);
      await refusal(path);
    }
  });
});

describe("damaged files", () => {
  test.each(containers)("%s cut anywhere gives its settings or is refused", async (container) => {
    const whole = ours[container];
    const step = Math.max(1, Math.floor(whole.length / 150));
    for (let length = 0; length < whole.length; length += step) await refusal(whole.subarray(0, length));
  });

  test.each(containers)("%s with bytes changed gives settings or is refused", async (container) => {
    const random = numbers(container.length);
    for (let trial = 0; trial < 300; trial++) {
      const bytes = Uint8Array.from(ours[container]);
      for (let change = 0; change < 1 + (trial % 6); change++) bytes[random(bytes.length)] = random(256);
      await refusal(bytes);
    }
  });

  test.each(containers)("%s that claims enormous sizes gives settings or is refused", async (container) => {
    const whole = ours[container];
    const view = new DataView(whole.buffer, whole.byteOffset, whole.byteLength);
    // Any four bytes may be a size, a count or an offset.
    const step = Math.max(1, Math.floor(whole.length / 400));
    for (let at = 0; at + 4 <= whole.length; at += at < 2000 ? 3 : step) {
      const was = view.getUint32(at);
      for (const claim of [0, 1, 0x7fffffff, 0xffffffff]) {
        view.setUint32(at, claim);
        await refusal(whole);
      }
      view.setUint32(at, was);
    }
  });

  test("random bytes behind each beginning are refused", async () => {
    const random = numbers(3);
    for (let trial = 0; trial < 150; trial++) {
      const bytes = Uint8Array.from({ length: 2000 }, () => random(256));
      bytes.set(ours[containers[trial % 3]!].subarray(0, 8 + (trial % 5) * 8));
      await refusal(bytes);
    }
  });

  test("a clip to be exported is read or refused, whatever its tables claim", async () => {
    const path = join(folder, "clip.mp4");
    const head = Buffer.from(ours.mp4).indexOf("mdat");
    for (let at = 0; at < head; at += 3)
      for (const claim of [0, 0xffffff, 0x7fffffff, 0xffffffff]) {
        const bytes = Buffer.from(ours.mp4);
        bytes.writeUInt32BE(claim, at);
        await readOrRefused(path, bytes);
      }
    const random = numbers(9);
    for (let trial = 0; trial < 200; trial++) {
      const bytes = Uint8Array.from(ours.mp4);
      for (let change = 0; change < 1 + (trial % 6); change++) bytes[random(bytes.length)] = random(256);
      await readOrRefused(path, bytes);
    }
  });
});

async function readOrRefused(path: string, bytes: Uint8Array): Promise<void> {
  writeFileSync(path, bytes);
  await readClip(path).then(
    ({ packets }) => expect(packets.length).toBeGreaterThan(0),
    (error: { code: string }) => expect(error.code).toBe("file.unreadable"),
  );
}

/** Settings or video.foreign, nothing else, and soon. */
async function refusal(file: string | Uint8Array): Promise<void> {
  const began = performance.now();
  await readVideoSettings(file).then(
    ({ record: { rushes } }) => expect(rushes).toBe(1),
    (error: { code: string }) => expect(error.code).toBe("video.foreign"),
  );
  expect(performance.now() - began).toBeLessThan(30_000);
}

function foreign(container: string): Uint8Array {
  const path = join(folder, `foreign.${container}`);
  const codec = container === "mp4" ? "libx264" : "libvpx";
  execFileSync("ffmpeg", [
    ...["-v", "error", "-y", "-f", "lavfi", "-i", "testsrc=size=32x32:rate=8", "-frames:v", "4", "-c:v", codec],
    ...["-pix_fmt", "yuv420p", "-metadata", "comment=hello", path],
  ]);
  return execFileSync("cat", [path]);
}

function pngSaying(text: string): Uint8Array {
  const picture = { width: 1, height: 1, data: new Uint8Array(3), channels: 3, depth: 8 } as const;
  return encode({ ...picture, text: { [pngKeyword]: text } });
}

function ivfPackets(path: string) {
  const file = execFileSync("cat", [path]);
  const packets = [];
  for (let at = 32; at < file.length;) {
    const size = file.readUInt32LE(at);
    packets.push({ data: file.subarray(at + 12, at + 12 + size), keyFrame: at === 32, frame: packets.length });
    at += 12 + size;
  }
  return packets;
}

/** Repeatable whole numbers from 0 to below the bound. */
function numbers(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}
