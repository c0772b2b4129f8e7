// The ruler: reads background, colour, shape and motion of a single object from the frames of a clip. The definitions
// are those of the script that measured the demo model's own figures (manifest.json, `follows`), so that shares compare.
import { backgrounds, colours, distanceTo, type Properties, type Rgb, type Shape, shapes } from "./world.ts";

/** Frames [frame] of [row, column, channel] in 0..1. */
export interface Clip {
  width: number;
  height: number;
  frames: readonly Float32Array[];
}

interface Mask {
  width: number;
  height: number;
  set: Uint8Array;
}

const templateSide = 24;

export function seen({ width, height, frames }: Clip): Properties {
  const edge = medianColour(edgePixels(width, height, frames));
  const background = nearest(backgrounds, edge);
  const distances = frames.map((frame) => distancesFrom(frame, edge));
  const top = quantile(Float32Array.from(distances.flatMap((one) => [...one])), 0.995);
  if (top < 0.12) return { background, colour: "", shape: "", motion: "" };
  const above = (limit: number): Mask[] =>
    distances.map((one) => ({ width, height, set: Uint8Array.from(one, (distance) => (distance > limit ? 1 : 0)) }));
  const masks = above(Math.max(0.1, 0.45 * top));
  const core = above(Math.max(0.1, 0.8 * top));
  const colour = nearest(colours, medianColour(pixelsUnder(core, frames)));
  return { background, colour, shape: shapeOf(masks), motion: motionOf(masks) };
}

/** The two outermost rows and columns of every frame; corners count twice. */
function edgePixels(width: number, height: number, frames: readonly Float32Array[]): number[][] {
  const rows = [0, 1, height - 2, height - 1];
  const columns = [0, 1, width - 2, width - 1];
  const places = [
    ...rows.flatMap((row) => Array.from({ length: width }, (_, column) => row * width + column)),
    ...columns.flatMap((column) => Array.from({ length: height }, (_, row) => row * width + column)),
  ];
  return [0, 1, 2].map((channel) => frames.flatMap((frame) => places.map((place) => frame[place * 3 + channel]!)));
}

function pixelsUnder(masks: readonly Mask[], frames: readonly Float32Array[]): number[][] {
  return [0, 1, 2].map((channel) =>
    masks.flatMap(({ set }, index) => {
      const values: number[] = [];
      set.forEach((isSet, place) => {
        if (isSet) values.push(frames[index]![place * 3 + channel]!);
      });
      return values;
    }),
  );
}

function medianColour(channels: readonly number[][]): Rgb {
  return channels.map((values) => quantile(Float32Array.from(values), 0.5)) as unknown as Rgb;
}

/** Linear interpolation between order statistics, as numpy's quantile and median. */
function quantile(values: Float32Array, share: number): number {
  values.sort();
  const at = share * (values.length - 1);
  const [low, high] = [values[Math.floor(at)]!, values[Math.ceil(at)]!];
  return low + (high - low) * (at - Math.floor(at));
}

function distancesFrom(frame: Float32Array, [red, green, blue]: Rgb): Float32Array {
  return Float32Array.from({ length: frame.length / 3 }, (_, place) =>
    Math.hypot(frame[place * 3]! - red, frame[place * 3 + 1]! - green, frame[place * 3 + 2]! - blue),
  );
}

function nearest(table: Readonly<Record<string, Rgb>>, colour: Rgb): string {
  const far = (one: Rgb) => Math.hypot(...one.map((value, channel) => value - colour[channel]!));
  return Object.entries(table).reduce((best, entry) => (far(entry[1]) < far(best[1]) ? entry : best))[0];
}

interface Outline {
  rows: number;
  columns: number;
  /** Mean row and column, and pixels that are set. */
  row: number;
  column: number;
  area: number;
}

function outlineOf({ width, height, set }: Mask): Outline {
  let [row, column, area] = [0, 0, 0];
  set.forEach((isSet, place) => {
    if (!isSet) return;
    row += Math.floor(place / width);
    column += place % width;
    ++area;
  });
  return { rows: height, columns: width, row: row / area, column: column / area, area };
}

/** The mask scaled to 24 x 24 so that its pixels' spread around their mean is always the same; null when too small. */
function normalForm(mask: Mask): Uint8Array | null {
  const { row, column, area } = outlineOf(mask);
  if (area < 12) return null;
  let moment = 0;
  mask.set.forEach((isSet, place) => {
    if (isSet) moment += (Math.floor(place / mask.width) - row) ** 2 + ((place % mask.width) - column) ** 2;
  });
  const radius = Math.sqrt(moment / area) * 2.2;
  const steps = Array.from({ length: templateSide }, (_, index) => ((index + 0.5) / templateSide) * 2 - 1);
  const rows = steps.map((step) => roundHalfEven(row + step * radius));
  const columns = steps.map((step) => roundHalfEven(column + step * radius));
  const form = new Uint8Array(templateSide * templateSide);
  rows.forEach((y, i) =>
    columns.forEach((x, j) => {
      const isInside = y >= 0 && y < mask.height && x >= 0 && x < mask.width;
      form[i * templateSide + j] = isInside ? mask.set[y * mask.width + x]! : 0;
    }),
  );
  return form;
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Shared pixels over pixels of either. */
function overlap(a: Uint8Array, b: Uint8Array): number {
  let [both, either] = [0, 0];
  for (let i = 0; i < a.length; ++i) {
    both += a[i]! & b[i]!;
    either += a[i]! | b[i]!;
  }
  return both / Math.max(either, 1);
}

const templates: readonly { shape: Shape; form: Uint8Array }[] = shapes.flatMap((shape) => {
  const turns = shape === "ball" || shape === "ring" ? 1 : 36;
  return Array.from({ length: turns }, (_, turn) => ({ shape, form: templateOf(shape, (turn * Math.PI) / 18) }));
});

function templateOf(shape: Shape, angle: number): Uint8Array {
  const side = templateSide * 4;
  const at = (index: number) => Math.fround(Math.fround((index + 0.5 - side / 2) / (side / 2)) * Math.fround(1.6));
  const distance = (place: number) => distanceTo(shape, at(place % side), at(Math.floor(place / side)), 1, angle);
  const isFlipped = shape === "star" && distance((side / 2) * side + side / 2) >= 0;
  const set = Uint8Array.from({ length: side * side }, (_, place) =>
    (isFlipped ? -1 : 1) * distance(place) < 0 ? 1 : 0,
  );
  return normalForm({ width: side, height: side, set })!;
}

function shapeOf(masks: readonly Mask[]): string {
  const votes = new Map<string, number>();
  masks.forEach((mask, index) => {
    const form = index % 2 === 0 ? normalForm(mask) : null;
    if (!form) return;
    const best = new Map<string, number>();
    for (const { shape, form: template } of templates)
      best.set(shape, Math.max(best.get(shape) ?? 0, overlap(form, template)));
    for (const [shape, share] of best) votes.set(shape, (votes.get(shape) ?? 0) + share ** 4);
  });
  return [...votes].reduce((best, entry) => (entry[1] > best[1] ? entry : best), ["", 0] as [string, number])[0];
}

function motionOf(masks: readonly Mask[]): string {
  const outlines = masks.map(outlineOf).filter(({ area }) => area >= 6);
  if (outlines.length < 4) return "";
  const side = Math.min(masks[0]!.width, masks[0]!.height);
  const across = outlines.map(({ column }) => column / side);
  const down = outlines.map(({ row }) => row / side);
  const [dx, dy] = [travel(across), travel(down)];
  const [sx, sy] = [Math.max(...across) - Math.min(...across), Math.max(...down) - Math.min(...down)];
  if (sx > 0.12 && sy > 0.12 && Math.min(sx, sy) > 0.45 * Math.max(sx, sy)) return "circle";
  if (sx > 0.14 && sx > 2 * sy && Math.abs(dx) > 0.6 * sx) return dx > 0 ? "right" : "left";
  if (sy > 0.14 && sy > 2 * sx) {
    if (Math.abs(dy) > 0.7 * sy) return dy > 0 ? "down" : "up";
    return "bounce";
  }
  const areas = outlines.map(({ area }) => area);
  const growth = middle(areas.slice(-3)) / middle(areas.slice(0, 3));
  if (growth > 1.6) return "grow";
  if (growth < 1 / 1.6) return "shrink";
  return likeness(masks) < 0.86 ? "spin" : "still";
}

/** How like a mask is to the one three frames on, on average: a turning shape changes its outline. */
function likeness(masks: readonly Mask[]): number {
  const forms = masks.map(normalForm).filter((form) => form !== null);
  if (forms.length <= 4) return 1;
  const pairs = forms.slice(3).map((form, index) => overlap(forms[index]!, form));
  return pairs.reduce((total, one) => total + one, 0) / pairs.length;
}

function travel(places: readonly number[]): number {
  return middle(places.slice(-3)) - middle(places.slice(0, 3));
}

function middle(three: readonly number[]): number {
  return [...three].sort((a, b) => a - b)[Math.floor(three.length / 2)]!;
}
