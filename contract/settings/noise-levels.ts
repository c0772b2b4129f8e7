// The noise level of each sampling step: the schedule of the rCM sampler (addon/src/samplers/rcm.cpp). Pure, so that a form
// can show it while a slider moves. test/golden/time-steps holds both to TurboDiffusion's numbers.

/** Angles of the steps after the first, whose angle is the arc tangent of Sigma Max. */
const laterAngles = [1.5, 1.4, 1.0] as const;

/** Rectified-flow times, 1 (all noise) to 0, before each of 1 to 4 steps: 0.988, 0.934, 0.853, 0.609 at Sigma Max 80.
 * Values outside their range (steps 1-4, Sigma Max 1-1600) are taken to its nearest end; what is no number gives none. */
export function noiseLevels(numSteps: number, sigmaMax: number): number[] {
  if (Number.isNaN(numSteps) || Number.isNaN(sigmaMax)) return [];
  const steps = Math.min(4, Math.max(1, Math.floor(numSteps)));
  const sigma = Math.min(1600, Math.max(1, sigmaMax));
  return [Math.atan(sigma), ...laterAngles].slice(0, steps).map((angle) => {
    const noise = Math.sin(angle);
    return noise / (noise + Math.cos(angle));
  });
}

/** Which expert of a two-expert model runs each of the steps. Where Sigma Max is small the first step can have less noise than
 * the second: once one was below the boundary, the low-noise expert stays (addon/src/engine/stages.cpp). */
export function expertsOf(levels: readonly number[], boundary: number): ("high" | "low")[] {
  const first = levels.findIndex((level) => level < boundary);
  return levels.map((_, step) => (first === -1 || step < first ? "high" : "low"));
}
