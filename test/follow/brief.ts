// Brief sentences, as people type them first, and what the demo model takes for granted where they say nothing: the rules of
// training/world/brief.py.
import {
  choose,
  motions,
  type Properties,
  randomNumbers,
  type Scene,
  scenes,
  type Shape,
  withArticle,
} from "./world.ts";

type Part = Exclude<keyof Properties, "shape">;

const usualColours: Readonly<Record<Shape, string>> = {
  ball: "red",
  square: "blue",
  triangle: "green",
  star: "yellow",
  ring: "purple",
};
/** The first one that the thing does not have. */
const usualBackgrounds = ["white", "blue"];
const usualMotion = "bounce";
const leftOut: readonly (readonly Part[])[] = [
  ["background"],
  ["motion"],
  ["background", "motion"],
  ["background", "colour"],
  ["background", "motion", "colour"],
];

/** Scenes as world.ts has them, whose sentences leave something out. */
export function briefScenes(count: number, seed: number): Scene[] {
  const random = randomNumbers(seed + 1);
  return scenes(count, seed).map((scene) => briefly(scene, choose(random, leftOut)));
}

function briefly({ properties, size }: Scene, unsaid: readonly Part[]): Scene {
  const { shape } = properties;
  const says = (part: Part) => !unsaid.includes(part);
  const colour = says("colour") ? properties.colour : usualColours[shape];
  const motion = says("motion") ? properties.motion : usualMotion;
  const background = says("background") ? properties.background : usualBackgrounds.find((name) => name !== colour)!;
  const thing = withArticle([size, says("colour") ? colour : "", shape].filter(Boolean).join(" "));
  const parts = [
    thing,
    says("motion") ? motions[motion][0] : "",
    says("background") ? `on ${withArticle(`${background} background`)}` : "",
  ];
  return { properties: { background, colour, shape, motion }, size, sentence: parts.filter(Boolean).join(" ") };
}
