// What a check of `bkg doctor` found, and what to do about it. Callers: the checks beside it.

export interface Finding {
  /** "warn": works, and somebody should know; "fail": does not work. */
  state: "ok" | "warn" | "fail";
  /** What was looked at, such as "data folder". */
  what: string;
  /** One line: what is so and, unless all is well, what to do. */
  message: string;
}

/** Such as "1.5 GiB" or "300 MiB". */
export function inBinaryUnits(bytes: number): string {
  const mib = bytes / 1_048_576;
  return mib < 1024 ? `${Math.round(mib)} MiB` : `${Math.round(mib / 102.4) / 10} GiB`;
}
