// One line that tells how far a job is: overwritten in place on a terminal, elsewhere a line now and then.

import type { Job } from "../../plugins/runtime/contract/job.ts";
import { bytesText, durationText } from "./amounts.ts";
import type { CliIo } from "./command.ts";
import { printableLine } from "./terminal.ts";

export interface ProgressLine extends Disposable {
  show(job: Job): void;
}

/** Disposing leaves the last state on the terminal, and the cursor below it. */
export function openProgressLine(
  io: CliIo,
  { now = Date.now }: { now?: () => number } = {},
): ProgressLine {
  const { errColumns } = io;
  let shown = "";
  let toldAtMs = -Infinity;
  let toldStep: string | undefined;
  return {
    show(job) {
      if (errColumns !== undefined) {
        const line = progressText(job, errColumns - 1);
        // Erase to the end of the line (ECMA-48 EL), so that a shorter text leaves nothing behind.
        if (line !== shown) io.err(`\r${line}\x1b[K`);
        shown = line;
        return;
      }
      if (job.step === toldStep && now() - toldAtMs < quietMs) return;
      toldStep = job.step;
      toldAtMs = now();
      io.err(progressText(job, 200) + "\n");
    },
    [Symbol.dispose]: () => {
      if (shown !== "") io.err("\n");
      shown = "";
    },
  };
}

/** Such as `Downloading  43 % [########----------]  230 MB of 531 MB  12 MB/s  25 s`; `columns` at most. */
export function progressText(job: Job, columns: number): string {
  const { doneBytes, totalBytes, bytesPerSecond } = job;
  const step = printableLine(job.step ?? words[job.status]);
  if (totalBytes === undefined) {
    return cut(doneBytes === 0 ? step : `${step}  ${bytesText(doneBytes)}`, columns);
  }
  const share = totalBytes === 0 ? 1 : Math.min(1, doneBytes / totalBytes);
  // Not 100 % before it is.
  const percent = `${Math.floor(share * 100)}`.padStart(3);
  const head = `${step} ${percent} %`;
  const tail = [`${bytesText(doneBytes)} of ${bytesText(totalBytes)}`];
  if (bytesPerSecond !== undefined && bytesPerSecond > 0) {
    const leftMs = (totalBytes - doneBytes) / bytesPerSecond * 1000;
    tail.push(`${bytesText(bytesPerSecond)}/s`, durationText(leftMs));
  }
  const room = columns - head.length - tail.join("  ").length - 5;
  const bar = room < 5 ? "" : drawBar(share, Math.min(40, room));
  return cut([head + bar, ...tail].join("  "), columns);
}

function drawBar(share: number, width: number): string {
  const full = Math.floor(share * width);
  return ` [${"#".repeat(full)}${"-".repeat(width - full)}]`;
}

function cut(text: string, columns: number): string {
  return text.length <= columns ? text : text.slice(0, Math.max(0, columns));
}

const words = {
  queued: "Waiting",
  running: "Working",
  paused: "Paused",
  done: "Done",
  failed: "Failed",
  cancelled: "Cancelled",
} satisfies Record<Job["status"], string>;

/** Between lines of an output that is no terminal. */
const quietMs = 10_000;
