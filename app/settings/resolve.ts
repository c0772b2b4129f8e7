// Which source wins for each setting, and what follows from the winners: size in pixels, the values a model cannot use.
// Pure: files are read elsewhere (collect.ts).
import { RushesError } from "../../contract/errors.ts";
import { type ModelManifest, needsPicture } from "../../contract/models.ts";
import {
  allSettings,
  checkSetting,
  defaultSettings,
  differences,
  settingOf,
  type SettingId,
  type Settings,
} from "../../contract/settings/derive.ts";
import { formatValue } from "../../contract/settings/flags.ts";
import { adaptiveSize } from "../../contract/settings/picture-size.ts";
import { type FrameSize, formatSize, sizeOfResolution } from "../../contract/settings/resolution.ts";
import { invalid, type SettingSource } from "./sources.ts";

/** What resolving needs to know of a model. */
export type ModelTraits = Pick<ModelManifest, "name" | "capabilities" | "sizes" | "defaults" | "limits">;

export interface ValueOrigin {
  readonly kind: SettingSource["kind"];
  /** A file, a preset's name, a model's name; "" for the catalogue's own default. */
  readonly origin: string;
}

/** Settings with their size known; the seed is null while it is still to be drawn. */
export type SizedSettings = Omit<Settings, "width" | "height"> & { width: number; height: number };

export interface ResolvedSources {
  readonly settings: SizedSettings;
  readonly origins: Readonly<Record<SettingId, ValueOrigin>>;
  /** A width or height was given: the frame has this size whatever the picture's shape is. */
  readonly fixedSize: boolean;
  /** One sentence each; among them what is given but not used by the model. */
  readonly warnings: readonly string[];
}

/** Merges the sources, weakest first, over the catalogue's defaults and the model's own. Throws settings.invalid or
 * model.unsupported. Without a model, its defaults and limits are left out; without the size of the `picture`, the frame
 * keeps the chosen shape. */
export function resolveSettings(
  given: readonly SettingSource[],
  model: ModelTraits | null,
  picture: FrameSize | null = null,
): ResolvedSources {
  const mode = modeOf(given, model);
  const sources: SettingSource[] = [
    { kind: "default", origin: "", values: defaultSettings(mode) },
    ...(model ? [{ kind: "model", origin: model.name, values: ownValues(model) } as const] : []),
    ...given,
  ];
  const ranks = ranksOf(sources);
  const winner = (id: SettingId) => sources[ranks[id]];
  const merged: Record<string, unknown> = {};
  for (const { id } of allSettings) merged[id] = winner(id)?.values[id];
  merged["mode"] = mode;
  // A shape that is said beside a model's own resolution asks for the size of the model that has it.
  if (winner("resolution")?.kind === "model" && ranks.aspectRatio > ranks.resolution) {
    const shaped = model?.sizes.find((size) => hasShape(size, merged["aspectRatio"] as string));
    if (shaped) merged["resolution"] = formatSize(shaped);
  }
  const settings = merged as Settings;

  for (const { id } of allSettings) {
    const source = winner(id);
    const problem = source?.kind === "default" ? null : checkSetting(id, settings[id], model?.limits[id]);
    if (problem) throw invalid(problem, source && needsNaming(source) ? source.origin : null);
  }

  const origins = Object.fromEntries(allSettings.map(({ id }) => [id, originOf(winner(id))]));
  const fixed = isFixed(settings, ranks);
  const chosen = frameSize(settings, ranks);
  const adapts = mode === "i2v" && settings.adaptiveResolution && !fixed && picture !== null;
  const size = adapts ? adaptiveSize(chosen, picture) : chosen;
  for (const side of ["width", "height"] as const) {
    const from = ranks[side] >= ranks.resolution && settings[side] !== null ? side : "resolution";
    origins[side] = originOf(winner(from));
  }
  // A value that says what would hold anyway (all of a former run's settings, say) asks for nothing.
  const asked = new Set(differences(defaultSettings(mode), settings).map(({ id }) => id));
  const isGiven = (id: SettingId) => asked.has(id) && ranks[id] >= sources.length - given.length;
  return {
    settings: { ...settings, ...size },
    origins: origins as Record<SettingId, ValueOrigin>,
    fixedSize: fixed,
    warnings: model
      ? [...unfit(settings, model, isGiven), ...remarks(settings, adapts ? null : size, model, isGiven)]
      : [],
  };
}

/** The values of several sources, weakest first, as those of one: a stronger resolution replaces the sides that weaker ones
 * say, which beside it would win. */
export function valuesTogether(sources: readonly Pick<SettingSource, "values">[]): Partial<Settings> {
  const together: Record<string, unknown> = {};
  for (const { values } of sources) {
    if (values.resolution !== undefined) for (const side of ["width", "height"]) delete together[side];
    for (const [id, value] of Object.entries(values)) if (value !== undefined) together[id] = value;
  }
  return together;
}

/** Index of the strongest source that has a value for each setting. A null is a value ("random"); undefined is not. */
function ranksOf(sources: readonly SettingSource[]): Record<SettingId, number> {
  const strongest = (id: SettingId) =>
    Math.max(
      0,
      sources.findLastIndex(({ values }) => values[id] !== undefined),
    );
  return Object.fromEntries(allSettings.map(({ id }) => [id, strongest(id)])) as Record<SettingId, number>;
}

function originOf(source: SettingSource | undefined): ValueOrigin {
  return source ? { kind: source.kind, origin: source.origin } : { kind: "default", origin: "" };
}

function needsNaming(source: SettingSource): boolean {
  return source.kind === "config" || source.kind === "preset" || source.kind === "model";
}

/** What is to be made: as it is said, else as a picture or a model that needs one says. */
export function modeOf(given: readonly Pick<SettingSource, "values">[], model: ModelTraits | null): Settings["mode"] {
  const last = (id: "mode" | "image") => given.findLast(({ values }) => values[id])?.values[id];
  const implied = last("image") || (model && needsPicture(model)) ? "i2v" : "t2v";
  return (last("mode") as Settings["mode"] | undefined) ?? implied;
}

/** A manifest's width and height are a resolution of its own, so that a stronger `resolution` replaces both. */
function ownValues({ defaults }: ModelTraits): Partial<Settings> {
  const { width, height, ...others } = defaults;
  if (typeof width !== "number" || typeof height !== "number") return others;
  return { ...others, resolution: formatSize({ width, height }) };
}

function frameSize(settings: Settings, ranks: Record<SettingId, number>): FrameSize {
  const named = sizeOfResolution(settings.resolution, settings.aspectRatio);
  if (!named) {
    const sentence = `Resolution "${settings.resolution}" has no size.`;
    throw new RushesError("settings.invalid", { sentence, advice: "Use 480p, 720p, or a size such as 832x480." });
  }
  const side = (id: "width" | "height") => ownSide(id, settings, ranks) ?? named[id];
  return { width: side("width"), height: side("height") };
}

/** A side that was given in pixels; null where the resolution, which is stronger, says it. */
function ownSide(id: "width" | "height", settings: Settings, ranks: Record<SettingId, number>): number | null {
  return ranks[id] >= ranks.resolution ? settings[id] : null;
}

/** Whether a size is of an aspect ("16:9") to a tenth: sides of small frames are multiples of 16. */
function hasShape({ width, height }: FrameSize, aspectRatio: string): boolean {
  const [across = 1, down = 1] = aspectRatio.split(":").map(Number);
  return Math.abs(Math.log((width * down) / (height * across))) < 0.1;
}

function isFixed(settings: Settings, ranks: Record<SettingId, number>): boolean {
  return ownSide("width", settings, ranks) !== null || ownSide("height", settings, ranks) !== null;
}

/** Values that do nothing on this model: they are recorded all the same. */
function unfit(settings: Settings, model: ModelTraits, isGiven: (id: SettingId) => boolean): string[] {
  const warnings: string[] = [];
  if (settings.mode === "i2v" && !model.capabilities.includes("i2v")) {
    throw new RushesError("model.unsupported", {
      sentence: `${model.name} makes videos from text only; it cannot start from an image.`,
      advice: "Leave the image out, or choose an Image to Video model.",
    });
  }
  if (settings.mode === "t2v" && needsPicture(model)) throw pictureMissing(model);
  for (const { id, needs, unfit: action, label } of allSettings) {
    // Whether the job runs on a card is the engine's to say (studio/graphics-card.ts).
    if (needs === null || needs === "gpu" || model.capabilities.includes(needs) || !isGiven(id)) continue;
    if (action === "refuse") {
      throw new RushesError("model.unsupported", {
        sentence: `${model.name} cannot use ${label}.`,
        advice: "Leave it out, or choose another model.",
      });
    }
    const shown = formatValue(settingOf(id), settings[id]);
    warnings.push(`${label} (${shown}) is not used by this model (${model.name}).`);
  }
  return warnings;
}

/** For a model that makes nothing from text alone. */
export function pictureMissing({ name }: Pick<ModelTraits, "name">): RushesError {
  return new RushesError("model.unsupported", {
    sentence: `${name} starts from an image, and none was given.`,
    advice: "Give an image, or choose a Text to Video model.",
  });
}

/** Values that will run but may not do what was meant. `size`: null where the picture decides it. */
function remarks(settings: Settings, size: FrameSize | null, model: ModelTraits, isGiven: (id: SettingId) => boolean) {
  const lines: string[] = [];
  const named = settings.resolution === "480p" || settings.resolution === "720p";
  if (isGiven("aspectRatio") && !named && !(size && hasShape(size, settings.aspectRatio)))
    lines.push(`Aspect (${settings.aspectRatio}) is not used with a resolution in pixels (${settings.resolution}).`);
  if (isGiven("slaTopk") && settings.attentionType === "original")
    lines.push("SLA Top-K is not used with original attention.");
  const good = size === null || model.sizes.some(({ width, height }) => width === size.width && height === size.height);
  if (model.sizes.length > 0 && !good) {
    const sizes = model.sizes.map(formatSize).join(", ");
    lines.push(`${model.name} was made for ${sizes}; ${formatSize(size)} may look wrong.`);
  }
  return lines;
}
