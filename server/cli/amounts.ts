// Bytes and durations as people read them in a terminal.

/** Powers of 1000, as disks and networks are sold: `531 MB`, `1.8 GB`. */
export function bytesText(bytes: number): string {
  const steps = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let step = 0;
  while (value >= 999.5 && step < steps.length - 1) {
    value /= 1000;
    step++;
  }
  const digits = step > 0 && value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${steps[step]}`;
}

/** `8 s`, `3 min 20 s`, `2 h 5 min`. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Counts of parameters and tokens: `260 k`, `494 M`, `1.5 B`. */
export function countText(count: number): string {
  if (count < 1000) return String(count);
  if (count < 999_500) return `${Math.round(count / 1000)} k`;
  if (count < 999_500_000) return `${Math.round(count / 1e6)} M`;
  return `${(count / 1e9).toFixed(count < 9.95e9 ? 1 : 0)} B`;
}
