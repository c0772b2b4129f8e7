// Addresses of pictures and videos, the same in every door: paths under the page's own origin.

/** The finished video; answers byte ranges. */
export function videoUrl(jobId: number): string {
  return `/media/video/${jobId}`;
}

/** The first good frame as PNG. */
export function posterUrl(jobId: number): string {
  return `/media/poster/${jobId}`;
}

/** The latest preview of a running job as PNG; the step makes the address fresh. */
export function previewUrl(jobId: number, step: number): string {
  return `/media/preview/${jobId}?step=${step}`;
}

/** The job's input image, where it has one. */
export function inputImageUrl(jobId: number): string {
  return `/media/input/${jobId}`;
}

/** A picture given to studio:upload and not yet used by a job. */
export function uploadUrl(uploadId: string): string {
  return `/media/upload/${uploadId}`;
}

/** A picture on the studio's disk, for a draft that names its path: what the door may use, and only PNG, JPEG and WebP. Its
 * file may have changed when it is chosen again: how often that was makes the address fresh. */
export function pictureUrl(path: string, chosen = 0): string {
  return `${pictureAddress}?path=${encodeURIComponent(path)}&chosen=${chosen}`;
}

export const pictureAddress = "/media/picture";

/** A finished export, as a download. */
export function exportUrl(exportId: string): string {
  return `/media/export/${exportId}`;
}
