// A job as the studio accepts it, for tests of the history.
import { randomUUID } from "node:crypto";
import { defaultSettings } from "../../../contract/settings/derive.ts";
import type { AcceptedJob } from "../../../app/history/writes/jobs.ts";

export function acceptedJob(prompt: string, changes: Partial<AcceptedJob> = {}): AcceptedJob {
  return {
    uid: randomUUID(),
    kind: "generate",
    mode: "t2v",
    model: "demo",
    files: { dit: "/m/dit.pth", vae: "/m/vae.pth", textEncoder: "/m/umt5.pth", tokenizer: "/m/t.json", textLength: 64 },
    settings: { ...defaultSettings(), prompt, seed: 42, width: 128, height: 128, numFrames: 17 },
    ids: Int32Array.of(7, 8, 1),
    warnings: [],
    latentsPath: null,
    savePath: null,
    sourceJobId: null,
    ...changes,
  };
}
