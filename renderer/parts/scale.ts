// Where a value stands on a slider: linear, or logarithmic where each doubling is as far as the last.

export interface Scale {
  readonly min: number;
  readonly max: number;
  /** Values are base + k * step; on a logarithmic scale the rounding of what the slider gives. */
  readonly step: number;
  readonly base: number;
  readonly kind: "linear" | "logarithmic";
}

/** Steps of a logarithmic slider from end to end: fine enough for the hand, coarse enough for the arrow keys. */
const logarithmicSteps = 200;

/** 0..1 of the way. */
export function positionOf(value: number, { min, max, kind }: Scale): number {
  const inside = Math.min(max, Math.max(min, value));
  if (max === min) return 0;
  return kind === "linear" ? (inside - min) / (max - min) : Math.log(inside / min) / Math.log(max / min);
}

/** The allowed value nearest to a place on the slider. */
export function valueAt(position: number, scale: Scale): number {
  const { min, max, kind } = scale;
  const value = kind === "linear" ? min + position * (max - min) : min * (max / min) ** position;
  return nearest(value, scale);
}

/** The allowed value nearest to one that was typed. */
export function nearest(value: number, { min, max, step, base }: Scale): number {
  const first = base + Math.ceil((min - base) / step - 1e-9) * step;
  const last = base + Math.floor((max - base) / step + 1e-9) * step;
  const stepped = base + Math.round((value - base) / step) * step;
  return rounded(Math.min(Math.max(stepped, first), last), step);
}

/** One press of an arrow key away, at least one step. `times` may be negative. */
export function moved(value: number, times: number, scale: Scale): number {
  if (scale.kind === "linear") return nearest(value + times * scale.step, scale);
  const there = valueAt(positionOf(value, scale) + times / logarithmicSteps, scale);
  return there === value ? nearest(value + Math.sign(times) * scale.step, scale) : there;
}

/** Decimals of the step, so that 0.1 + 0.2 is 0.3. */
function rounded(value: number, step: number): number {
  const decimals = Math.min(12, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9) + 1));
  return Number(value.toFixed(decimals));
}
