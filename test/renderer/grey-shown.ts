// What a video or canvas shows now, as one number.

/** Mean of the colours in the middle of the picture, 0..255. */
export function greyShown(picture: HTMLVideoElement | HTMLCanvasElement): number {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [8, 8];
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  context.drawImage(picture, 0, 0, 8, 8);
  const { data } = context.getImageData(2, 2, 4, 4);
  let sum = 0;
  for (let at = 0; at < data.length; at += 4) sum += data[at]! + data[at + 1]! + data[at + 2]!;
  return sum / (data.length / 4) / 3;
}
