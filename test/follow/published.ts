// What a model's manifest publishes of itself (`follows`): the bar its tests hold it to.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Form, nameOf } from "./clips.ts";
import type { Shares } from "./shares.ts";

export interface Published {
  /** Sentences, or pictures, that were measured. */
  readonly count: number;
  readonly shares: Shares;
  /** Of a model that begins with a picture: mean PSNR in dB of the clips' first frames. */
  readonly firstFrame?: number;
}

/** The entry for this form: "128x128x17, 4 steps, sla 0.1, 200 sentences". */
export function published(model: string, form: Form): Published {
  const path = `models/${model}/manifest.json`;
  const manifest = JSON.parse(readFileSync(join(import.meta.dirname, "../..", path), "utf8")) as {
    follows: Record<string, Shares & { firstFrame?: number }>;
  };
  const name = `${nameOf(form)}, `;
  const entry = Object.entries(manifest.follows).find(([key]) => key.startsWith(name));
  const count = Number(/^(\d+) (sentences|pictures)$/.exec(entry?.[0].slice(name.length) ?? "")?.[1]);
  if (!entry || !count) throw new Error(`${path} says nothing of ${nameOf(form)}`);
  const { firstFrame, ...shares } = entry[1];
  return { count, shares, ...(firstFrame === undefined ? {} : { firstFrame }) };
}
