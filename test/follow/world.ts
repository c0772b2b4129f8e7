// The demo model's world: its colours, shapes and motions, sentences about one object in it, and clips drawn the way its
// training clips were (one moving shape on one background). The drawn clips test the ruler in seen.ts.

/** RGB in 0..1. */
export type Rgb = readonly [number, number, number];

export const colours: Readonly<Record<string, Rgb>> = {
  red: [0.9, 0.12, 0.12],
  green: [0.12, 0.7, 0.22],
  blue: [0.12, 0.3, 0.9],
  yellow: [0.98, 0.85, 0.12],
  orange: [0.98, 0.52, 0.08],
  purple: [0.55, 0.18, 0.75],
  pink: [0.98, 0.5, 0.72],
  cyan: [0.15, 0.82, 0.88],
  white: [0.96, 0.96, 0.96],
  black: [0.06, 0.06, 0.07],
};
export const backgrounds: Readonly<Record<string, Rgb>> = { ...colours, gray: [0.5, 0.5, 0.52] };
export const shapes = ["ball", "square", "triangle", "star", "ring"] as const;
export type Shape = (typeof shapes)[number];

/** Every motion with the words for it. */
export const motions = {
  right: ["moves to the right", "moves from left to right"],
  left: ["moves to the left", "moves from right to left"],
  up: ["moves up", "rises"],
  down: ["moves down", "falls"],
  bounce: ["bounces", "bounces up and down"],
  spin: ["spins", "rotates"],
  grow: ["grows"],
  shrink: ["shrinks"],
  circle: ["moves in a circle"],
  still: ["stays still", "does not move"],
} as const;
export type Motion = keyof typeof motions;
const motionNames = Object.keys(motions) as Motion[];

/** What a sentence says, or a clip shows; "" where a clip shows nothing. */
export interface Properties {
  background: string;
  colour: string;
  shape: string;
  motion: string;
}
export const properties = ["background", "colour", "shape", "motion"] as const;

/** How many values each property can have: one over it is chance. */
export const choices: Readonly<Record<keyof Properties, number>> = {
  background: Object.keys(backgrounds).length,
  colour: Object.keys(colours).length,
  shape: shapes.length,
  motion: motionNames.length,
};

/** Seeded numbers in [0, 1): mulberry32. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function choose<T>(random: () => number, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)]!;
}

/** One object on one background, as it will be said and drawn. */
export interface Scene {
  properties: { background: string; colour: string; shape: Shape; motion: Motion };
  size: "" | "small" | "large";
  sentence: string;
}

/** Scenes whose sentences have the forms of the training captions: the object's place before or after the background,
 * with or without a capital letter and a full stop. Balls and rings do not spin: nobody could see it. */
export function scenes(count: number, seed: number): Scene[] {
  const random = randomNumbers(seed);
  return Array.from({ length: count }, () => scene(random));
}

function scene(random: () => number): Scene {
  const background = choose(random, Object.keys(backgrounds));
  const colour = choose(
    random,
    Object.keys(colours).filter((name) => name !== background),
  );
  const size = choose(random, ["", "small", "large"] as const);
  const motion = choose(random, motionNames);
  const mayBe = motion === "spin" ? shapes.filter((shape) => shape !== "ball" && shape !== "ring") : shapes;
  const shape = choose(random, mayBe);
  const object = `${withArticle([size, colour, shape].filter(Boolean).join(" "))} ${choose(random, motions[motion])}`;
  const place = withArticle(`${background} background`);
  const plain = choose(random, [
    `${object} on ${place}`,
    `${object} on ${place}`,
    `${object} in front of ${place}`,
    `${object}, ${background} background`,
    `on ${place}, ${object}`,
  ]);
  const begun = random() < 0.5 ? plain[0]!.toUpperCase() + plain.slice(1) : plain;
  const sentence = random() < 0.5 ? `${begun}.` : begun;
  return { properties: { background, colour, shape, motion }, size, sentence };
}

export function withArticle(words: string): string {
  return ("aeiou".includes(words[0]!) ? "an " : "a ") + words;
}

const phrases = motionNames
  .flatMap((motion) => motions[motion].map((words) => ({ words, motion })))
  .sort((a, b) => b.words.length - a.words.length);
const objectForm = new RegExp(
  `(?:(?:small|large) )?(${Object.keys(colours).join("|")}) (${shapes.join("|")}) (${phrases.map(({ words }) => words).join("|")})`,
  "g",
);

/** What a sentence says, or null where it is not about one object on one background. */
export function said(sentence: string): Properties | null {
  const text = sentence.toLowerCase();
  const objects = [...text.matchAll(objectForm)];
  const background = /(\w+) background/.exec(text)?.[1];
  if (objects.length !== 1 || !background) return null;
  const [, colour, shape, words] = objects[0]!;
  return { background, colour: colour!, shape: shape!, motion: phrases.find((one) => one.words === words)!.motion };
}

/** Signed distance (negative inside) from (x, y) to a shape of radius r around the origin, turned by an angle. In single
 * precision where it matters: pixels lie exactly on the edges of turned shapes, and the published shares were measured
 * in float32. */
export function distanceTo(shape: Shape, x: number, y: number, r: number, angle: number): number {
  const [cos, sin] = [Math.fround(Math.cos(angle)), Math.fround(Math.sin(angle))];
  const u = Math.fround(Math.fround(cos * x) + Math.fround(sin * y));
  const v = Math.fround(Math.fround(cos * y) - Math.fround(sin * x));
  switch (shape) {
    case "ball":
      return Math.hypot(u, v) - r;
    case "ring":
      return Math.abs(Math.hypot(u, v) - 0.78 * r) - 0.24 * r;
    case "square":
      return Math.max(Math.abs(u), Math.abs(v)) - 0.86 * r;
    case "triangle":
      return (
        Math.fround(Math.max(Math.fround(Math.fround(Math.fround(Math.sqrt(3)) * Math.abs(u)) - v) / 2, v)) -
        Math.fround(0.55 * r)
      );
    case "star":
      return starDistance(u, v, r);
  }
}

/** To the edge from the outer to the inner corner of one tenth of a five-pointed star; the others are folded onto it. */
function starDistance(u: number, v: number, r: number): number {
  const tenth = Math.PI / 5;
  const turn = Math.atan2(u, -v) + tenth;
  const folded = Math.abs(turn - 2 * tenth * Math.floor(turn / (2 * tenth)) - tenth);
  const far = Math.hypot(u, v);
  const [px, py] = [far * Math.cos(folded), far * Math.sin(folded)];
  const outer = 1.15 * r;
  const [ix, iy] = [0.5 * r * Math.cos(tenth), 0.5 * r * Math.sin(tenth)];
  const [ex, ey] = [ix - outer, iy];
  return ((px - outer) * ey - py * ex) / Math.hypot(ex, ey);
}

/** Frames [frame][row][column] of interleaved RGB in 0..1, side x side. */
export function drawScene(
  { properties: { background, colour, shape, motion }, size }: Scene,
  random: () => number,
  side = 128,
  frameCount = 17,
): Float32Array[] {
  const radius = { "": 0.19, small: 0.13, large: 0.27 }[size] * 2 * (0.95 + 0.1 * random());
  const start = { cx: (random() - 0.5) / 2, cy: (random() - 0.5) / 2, phase: choose(random, [0, 0.25, 0.5, 0.75]) };
  return Array.from({ length: frameCount }, (_, index) => {
    const at = placeAt(motion, radius, start, index / (frameCount - 1));
    return drawFrame(backgrounds[background]!, colours[colour]!, shape, at, side);
  });
}

interface Place {
  cx: number;
  cy: number;
  radius: number;
  angle: number;
}

function placeAt(
  motion: Motion,
  radius: number,
  { cx, cy, phase }: { cx: number; cy: number; phase: number },
  time: number,
): Place {
  const room = 1 - 1.05 * radius;
  const across = room * (2 * time - 1) * 0.95;
  const turn = 2 * Math.PI * (time + phase);
  const still = { cx, cy, radius, angle: 0 };
  switch (motion) {
    case "right":
      return { ...still, cx: across };
    case "left":
      return { ...still, cx: -across };
    case "down":
      return { ...still, cy: across };
    case "up":
      return { ...still, cy: -across };
    case "bounce":
      return { ...still, cy: room - 1.55 * room * Math.abs(Math.sin(Math.PI * (2 * time + phase))) };
    case "spin":
      return { ...still, angle: Math.PI * time };
    case "grow":
      return { ...still, radius: radius * (0.45 + 1.15 * time) };
    case "shrink":
      return { ...still, radius: radius * (1.6 - 1.15 * time) };
    case "circle":
      return { ...still, cx: 0.52 * Math.cos(turn) * room, cy: 0.52 * Math.sin(turn) * room };
    case "still":
      return still;
  }
}

function drawFrame(
  background: Rgb,
  colour: Rgb,
  shape: Shape,
  { cx, cy, radius, angle }: Place,
  side: number,
): Float32Array {
  const pixel = 2 / side;
  const inside = shape === "star" ? Math.sign(distanceTo("star", 0, 0, radius, angle)) * -1 : 1;
  const frame = new Float32Array(side * side * 3);
  for (let row = 0; row < side; ++row) {
    const y = (row + 0.5) * pixel - 1;
    for (let column = 0; column < side; ++column) {
      const x = (column + 0.5) * pixel - 1;
      const distance = inside * distanceTo(shape, x - cx, y - cy, radius, angle);
      const cover = clamp(0.5 - distance / pixel);
      const shade = 1 - 0.1 * Math.max(-1, Math.min(1, (y - cy) / radius));
      for (let channel = 0; channel < 3; ++channel) {
        const below = clamp(background[channel]! * (1.04 - 0.1 * (y / 2 + 0.5)));
        frame[(row * side + column) * 3 + channel] = below * (1 - cover) + clamp(colour[channel]! * shade) * cover;
      }
    }
  }
  return frame;
}

function clamp(value: number): number {
  return Math.max(0, Math.min(1, value));
}
