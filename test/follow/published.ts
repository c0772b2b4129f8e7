// What a model's manifest publishes of itself (`follows`): the bar its tests hold it to.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Form, nameOf } from "./clips.ts";
import type { Shares } from "./shares.ts";

/** What clips were made of. */
export type Kind = "sentences" | "brief sentences" | "landscapes" | "pictures";

export interface Published {
  /** Sentences, or pictures, that were measured. */
  readonly count: number;
  readonly shares: Shares;
  /** Of a model that begins with a picture: mean PSNR in dB of the clips' first frames. */
  readonly firstFrame?: number;
  /** The share of landscapes that are recognised; they have no other shares. */
  readonly recognised?: number;
}

/** The entry for this form and kind: "128x128x17, 4 steps, sla 0.1, 200 sentences". */
export function published(model: string, form: Form, kind: Kind): Published {
  const path = `models/${model}/manifest.json`;
  const manifest = JSON.parse(readFileSync(join(import.meta.dirname, "../..", path), "utf8")) as {
    follows: Record<string, Shares & Pick<Published, "firstFrame" | "recognised">>;
  };
  const name = new RegExp(`^${nameOf(form)}, (\\d+) ${kind}$`);
  for (const [key, { firstFrame, recognised, ...shares }] of Object.entries(manifest.follows)) {
    const count = Number(name.exec(key)?.[1]);
    if (!count) continue;
    return {
      count,
      shares,
      ...(firstFrame === undefined ? {} : { firstFrame }),
      ...(recognised === undefined ? {} : { recognised }),
    };
  }
  throw new Error(`${path} says nothing of ${kind} at ${nameOf(form)}`);
}
