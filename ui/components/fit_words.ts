// Whether a model fits a machine, in a person's words. Callers: the first run's page, the page of models.

import type { Fit } from "../../models/fit.ts";
import { formatBytes } from "./format.ts";

/** What of a machine the words need; undefined where it is not known. */
export interface Room {
  /** Free memory, bytes. */
  availableBytes?: number | undefined;
}

export type FitGrade = "comfortable" | "tight" | "too large";

/** Comfortable: it takes at most two thirds of what is free, and leaves the machine usable. */
export function gradeFit({ fits, peakBytes }: Fit, { availableBytes }: Room = {}): FitGrade {
  if (!fits) return "too large";
  return availableBytes === undefined || peakBytes * 3 <= availableBytes * 2
    ? "comfortable"
    : "tight";
}

export const gradeWords: Readonly<Record<FitGrade, string>> = {
  comfortable: "Fits well",
  tight: "Just fits",
  "too large": "Too large",
};

/** "needs about 0.9 GiB; this machine has 12 GiB free": a sentence without its capital and its stop. */
export function describeFit(fit: Fit, { availableBytes }: Room = {}): string {
  const needed = fit.limitedBy?.neededBytes ?? fit.peakBytes;
  const need = `needs ${fit.exact ? "" : "about "}${formatAbout(needed)}`;
  if (!fit.fits && fit.limitedBy !== undefined) return `${need}; ${describeLimit(fit)}`;
  const { machine } = placeOf(fit);
  return availableBytes === undefined
    ? `${need} of memory`
    : `${need}; ${machine} has ${formatAbout(availableBytes)} free`;
}

/** Two digits that count are what an estimate is worth: 921 MiB is "920 MiB". */
export function formatAbout(bytes: number): string {
  let unit = 1;
  while (bytes / unit >= 999.5) unit *= 1024;
  return formatBytes(Math.min(990, Number((bytes / unit).toPrecision(2))) * unit);
}

function describeLimit(fit: Fit): string {
  const { resource, availableBytes } = fit.limitedBy!;
  const { machine, engine } = placeOf(fit);
  const room = formatAbout(availableBytes);
  switch (resource) {
    case "memory":
      return `${machine} has ${room} free`;
    case "wasm memory":
      return `${engine} can use ${room} at most`;
    case "plugin's memory limit":
      return `the plugin that would run it may use ${room}, which its settings change`;
    case "file size":
      return `${engine} opens files of ${room} at most`;
    case "disk":
      return `the disk has ${room} free`;
    case "gpu memory":
      return `the GPU gives one program ${room} at most`;
  }
}

function placeOf({ home, backend }: Fit): { machine: string; engine: string } {
  const machine = home === "browser" ? "this browser" : "this machine";
  return { machine, engine: backend === "wasm" ? "WebAssembly" : "its engine" };
}
