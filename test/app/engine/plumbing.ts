// The stage for tests around the engine: a library folder, a clip, and the addon object of plumbing-addon.ts.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Gpu } from "../../../app/engine/addon.ts";
import { encodedClip } from "../media/encoded-clip.ts";

/** How the addon of these tests behaves. */
export interface PlumbingScript {
  /** Time of one step, milliseconds. */
  stepMs: number;
  decodeMs?: number;
  /** Its process kills itself in this step, once. */
  crashInStep?: number;
  /** Its process kills itself in this step, always. */
  crashAlways?: number;
  /** Its process kills itself when it is given a video. */
  crashInCodec?: boolean;
  /** The call rejects with `failure` in this step. */
  failInStep?: number;
  failure?: { code: string; message: string; advice?: string; detail?: string; neededBytes?: number };
  /** A cancelled call goes on. */
  ignoreCancel?: boolean;
  /** What a job may use, of the 1000 bytes it needs; enough unless set. */
  budgetBytes?: number;
  /** The name of a graphics card: jobs run on it unless they choose another device, and failInStep happens there only. */
  card?: string;
  /** What the engine says of the machine's graphics card; none unless set. */
  gpu?: Gpu;
  /** Plans of a job by what they need, the mildest first: the first one within the memory budget holds. One that names a
   * text encoder's format is for jobs that ask for that one, or leave it open. */
  plans?: PlumbingPlan[];
  /** From this step on a plan that needs more finds memory full. */
  full?: { step: number; freeBytes: number };
  /** One packet less than there are frames. */
  frameLoss?: boolean;
}

interface PlumbingPlan {
  peakBytes: number;
  resident?: boolean;
  streamed?: boolean;
  vaeTiling?: "on";
  textEncoderFormat?: "16-bit" | "int8";
}

export const plumbingAddon = fileURLToPath(new URL("plumbing-addon.ts", import.meta.url));

export class Plumbing {
  readonly folder = mkdtempSync(join(tmpdir(), "rushes-plumbing-"));
  readonly library = join(this.folder, "library");
  readonly environment: Record<string, string>;

  constructor() {
    this.environment = {
      PLUMBING_SCRIPT: join(this.folder, "script.json"),
      PLUMBING_NOTES: join(this.folder, "notes.txt"),
      PLUMBING_CLIP: join(this.folder, "clip.json"),
      RUSHES_ADDON: plumbingAddon,
    };
    const clip = encodedClip(128, 128, 17).map((packet) => ({
      ...packet,
      data: Buffer.from(packet.data).toString("base64"),
    }));
    writeFileSync(join(this.folder, "clip.json"), JSON.stringify(clip));
    this.script({ stepMs: 20 });
    this.clearNotes();
    Object.assign(process.env, this.environment);
  }

  script(script: PlumbingScript): void {
    // Renamed into place: the engine's process may be reading it.
    const path = join(this.folder, "script.json");
    writeFileSync(`${path}.new`, JSON.stringify(script));
    renameSync(`${path}.new`, path);
  }

  /** What the addon was asked, in order. */
  notes(): string[] {
    return readFileSync(join(this.folder, "notes.txt"), "utf8").split("\n").filter(Boolean);
  }

  clearNotes(): void {
    writeFileSync(join(this.folder, "notes.txt"), "");
  }

  /** An empty file of that name. */
  file(name: string): string {
    const path = join(this.folder, name);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, "");
    return path;
  }

  /** A file system of this size, or null where there is no right to mount one. */
  smallDisk(size: string): { folder: string; unmount: () => void } | null {
    const folder = join(this.folder, "small-disk");
    mkdirSync(folder);
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", folder], { stdio: "ignore" });
    } catch {
      return null;
    }
    return { folder, unmount: () => void execFileSync("umount", [folder]) };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Cancelling and ending are promised within a second; what a loaded machine adds to that is not the program's doing.
 * The work that is ended takes longer than this. Milliseconds. */
export const soon = 10_000;

/** Waits until something is so; asks every 10 ms. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  milliseconds = 60_000,
): Promise<void> {
  for (const end = Date.now() + milliseconds; Date.now() < end;) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`Waited in vain for ${what}`);
}

export function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    // A process that ended and waits to be reaped still has its number.
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${processId}/stat`, "utf8"));
  } catch {
    return false;
  }
}
