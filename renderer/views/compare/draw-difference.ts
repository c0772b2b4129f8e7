// The difference of two pictures on a canvas: |a - b| in each colour, times a gain that is a power of two.

/** Draws over the whole canvas; b is drawn in a's size. Nothing happens while one of them has no picture yet. */
export function drawDifference(
  canvas: HTMLCanvasElement,
  a: HTMLVideoElement,
  b: HTMLVideoElement,
  gain: number,
): void {
  const context = canvas.getContext("2d");
  if (!context || a.readyState < 2 || b.readyState < 2) return;
  const { width, height } = canvas;
  context.globalCompositeOperation = "copy";
  context.drawImage(a, 0, 0, width, height);
  context.globalCompositeOperation = "difference";
  context.drawImage(b, 0, 0, width, height);
  // Light added to itself is twice as bright.
  context.globalCompositeOperation = "lighter";
  for (let amplified = 1; amplified < gain; amplified *= 2) context.drawImage(canvas, 0, 0);
}
