// Sizes in sentences, in logs and on a terminal. The window has its own words (renderer/text).

/** "6.4 MB": decimal units, as disks and checkpoints are sold. */
export function formatBytes(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  if (unit === 0) return `${bytes} bytes`;
  const digits = value >= 100 ? 0 : value >= 10 || unit < 3 ? 1 : 2;
  return `${value.toFixed(digits)} ${units[unit]}`;
}
