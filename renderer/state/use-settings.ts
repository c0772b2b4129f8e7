// From the settings of a result to a form: of everything a job recorded, only what would not hold anyway becomes the
// form's, so that fields stay inherited where they may.
import { request } from "../bridge.ts";
import type { Job } from "../../contract/job.ts";
import {
  allSettings,
  differences,
  type ResolvedSettings,
  type SettingId,
  type Settings,
} from "../../contract/settings/derive.ts";
import { formatSize, sizeOfResolution } from "../../contract/settings/resolution.ts";
import { type AppliedChange, form, type Picture } from "./form.svelte.ts";

type Values = Partial<Settings>;

const ofMachine: readonly SettingId[] = allSettings.filter(({ group }) => group === "machine").map(({ id }) => id);

/** Values a form needs so that the same would run: all that differ from what mode and model bring themselves. `picture`: what
 * the form will begin with, whose shape may say the size. */
export async function ownValuesOf(
  settings: Partial<ResolvedSettings>,
  picture: Picture | null = null,
): Promise<Values> {
  const { width, height, image: _image, ...others } = settings;
  const values: Values = others;
  const { mode = "t2v", model } = values;
  const brings: Values = model === undefined ? { mode } : { mode, model };
  const { inherited } = await request("generate:check", { draft: { values: brings } });
  if (width !== undefined && height !== undefined && !(await takesShape(settings, picture))) {
    values.resolution = resolutionOf(values, width, height);
    if (mode === "i2v") values.adaptiveResolution = false;
  }
  const kept = differences(inherited, { ...inherited, ...values }).map(({ id }) => id);
  const wanted = new Set<SettingId>([...kept, "prompt", "mode"]);
  if (model !== undefined) wanted.add("model");
  const own = only(values, (id) => wanted.has(id));
  const automatic = kept.filter((id) => id !== "model" && isAutomatic(inherited[id]));
  return withAutomatic(own, automatic, picture);
}

/** Leaves away those of the settings named that would come to the same value by themselves. One depends on the other: all
 * are left away together, and those that come to something else are put back, until the rest agree. */
async function withAutomatic(values: Values, ids: readonly SettingId[], picture: Picture | null): Promise<Values> {
  let left = ids;
  for (;;) {
    const some = only(values, (id) => !left.includes(id));
    if (left.length === 0) return some;
    const draft = { values: some, ...(picture === null ? {} : { image: picture }) };
    const { automatic } = await request("generate:check", { draft });
    const same = left.filter((id) => automatic[id] === values[id]);
    if (same.length === left.length) return some;
    left = same;
  }
}

function only(values: Values, wanted: (id: SettingId) => boolean): Values {
  return Object.fromEntries(Object.entries(values).filter(([id]) => wanted(id as SettingId)));
}

function isAutomatic(value: unknown): boolean {
  return value === "auto" || value === 0;
}

/** True where the frame's size follows from the resolution and the picture's shape. One that does not is put in pixels, and
 * the picture's shape aside. */
async function takesShape(settings: Partial<ResolvedSettings>, picture: Picture | null): Promise<boolean> {
  const { mode, model, resolution, aspectRatio, adaptiveResolution, width, height } = settings;
  if (mode !== "i2v" || picture === null || !adaptiveResolution) return false;
  const named = { mode, adaptiveResolution, ...(model && { model }), ...(resolution && { resolution }) };
  const values = { ...named, ...(aspectRatio && { aspectRatio }) };
  const { frameSize } = await request("generate:check", { draft: { values, image: picture } });
  return frameSize?.width === width && frameSize?.height === height;
}

/** As `ownValuesOf`, for the user's own draft: what belongs to the machine and not to the look of a clip is not taken over,
 * but stays as the form or its preset has it. */
export async function clipValuesOf(
  settings: Partial<ResolvedSettings>,
  picture: Picture | null = null,
): Promise<Values> {
  const values = await ownValuesOf(settings, picture);
  return { ...only(values, (id) => !ofMachine.includes(id)), ...machineValues() };
}

function machineValues(): Values {
  const sources = form.check?.sources;
  return {
    ...only(form.check?.settings ?? {}, (id) => ofMachine.includes(id) && sources?.[id] === "preset"),
    ...only(form.values, (id) => ofMachine.includes(id)),
  };
}

/** Takes a result's settings over into the form: with its seed ("Use all") or a new one ("Use settings"). */
export async function useJobSettings(job: Job, keepSeed: boolean): Promise<AppliedChange> {
  const values = await clipValuesOf(jobSettings(job), pictureOf(job));
  if (!keepSeed) delete values.seed;
  return form.apply({ kind: "result", jobId: job.id }, { values, picture: pictureOf(job) });
}

/** What a job runs with, its prompt and model among them. */
export function jobSettings(job: Job): ResolvedSettings {
  return { ...job.settings, prompt: job.prompt, mode: job.mode, model: job.model, seed: job.seed };
}

export function pictureOf(job: Job): Picture | null {
  return job.inputImage === null ? null : { path: job.inputImage };
}

/** "480p" where that is the size, so that the form shows it by its name. */
function resolutionOf({ resolution = "480p", aspectRatio = "16:9" }: Values, width: number, height: number): string {
  const named = sizeOfResolution(resolution, aspectRatio);
  return named?.width === width && named.height === height ? resolution : formatSize({ width, height });
}
