// Sizes in sentences, in logs and on a terminal. The window has its own words (renderer/text).

/** "23.5 GB": memory in binary units, as it is sold, as the window counts it and as a memory budget is given. */
export function formatMemory(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${value.toFixed(power === 0 || value >= 100 ? 0 : 1)} ${units[power]}`;
}

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
