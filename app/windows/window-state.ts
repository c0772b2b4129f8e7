// Where the window was and how large, kept between starts in one small file. What no longer fits the screens that are there
// is moved to where it can be seen.
import { readFileSync, writeFileSync } from "node:fs";
import { z } from "zod";

export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const rectangle = z.object({
  x: z.number().int(),
  y: z.number().int(),
  width: z.number().int().positive(),
  height: z.number().int().positive(),
});

const stateForm = z.object({
  /** The size and place it has when it is neither maximised nor full screen, in the system's own units. */
  bounds: rectangle.nullable(),
  maximised: z.boolean(),
  fullScreen: z.boolean(),
  /** What the page was drawn on: shown until the page is there again. */
  ground: z.string().regex(/^#[0-9a-f]{6}$/i),
});

export type WindowState = z.infer<typeof stateForm>;

export const smallestWidth = 960;
export const smallestHeight = 640;
const usualWidth = 1440;
const usualHeight = 900;
/** Of a window's upper edge so much must lie on a screen, or nobody can move it. */
const graspableWidth = 120;
const graspableHeight = 40;

export const firstState: WindowState = { bounds: null, maximised: false, fullScreen: false, ground: "#0e1012" };

/** What was kept; the state of a first start where nothing readable was. */
export function readWindowState(path: string): WindowState {
  try {
    return stateForm.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return firstState;
  }
}

/** What cannot be written is left out: a window's place is worth no trouble. */
export function writeWindowState(path: string, state: WindowState): void {
  try {
    writeFileSync(path, `${JSON.stringify(state)}\n`);
  } catch {
    return;
  }
}

/** The bounds as they can be used with these work areas, the first of which is the main screen's. */
export function fittingBounds(kept: Rectangle | null, workAreas: readonly Rectangle[]): Rectangle {
  const main = workAreas[0] ?? { x: 0, y: 0, width: usualWidth, height: usualHeight };
  const home = kept && workAreas.find((area) => isGraspable(kept, area));
  const area = home ?? main;
  const width = Math.min(Math.max(kept?.width ?? usualWidth, smallestWidth), area.width);
  const height = Math.min(Math.max(kept?.height ?? usualHeight, smallestHeight), area.height);
  if (home) return { x: kept.x, y: kept.y, width, height };
  const x = main.x + Math.round((main.width - width) / 2);
  const y = main.y + Math.round((main.height - height) / 2);
  return { x, y, width, height };
}

function isGraspable({ x, y, width }: Rectangle, area: Rectangle): boolean {
  const shared = Math.min(x + width, area.x + area.width) - Math.max(x, area.x);
  return shared >= graspableWidth && y >= area.y - graspableHeight && y <= area.y + area.height - graspableHeight;
}
