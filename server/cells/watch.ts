// One timer for all cells: every 100 ms their resident memory, every second their throw-away folder.

import type { CellExitReason } from "../../plugins/runtime/host/cell.ts";
import { folderBytes, readRssBytes } from "./proc.ts";

export interface WatchedCell {
  readonly pid: number;
  readonly folder: string;
  readonly limitBytes: number;
  kill(reason: CellExitReason, message: string): void;
}

export interface CellWatch extends Disposable {
  /** Watches the cell until the returned function is called. */
  add(cell: WatchedCell): () => void;
}

/** The most bytes that a cell may leave in its folder (Deno's caches live there). */
export const maxFolderBytes = 64 * 1024 * 1024;

const memoryPollMs = 100;
const diskEveryPolls = 10;

export function createCellWatch(): CellWatch {
  const cells = new Set<WatchedCell>();
  let timer: ReturnType<typeof setInterval> | undefined;
  let polls = 0;

  function poll(): void {
    const withDisk = ++polls % diskEveryPolls === 0;
    for (const cell of cells) {
      const rss = readRssBytes(cell.pid);
      if (rss !== undefined && rss > cell.limitBytes) {
        cell.kill(
          "memory",
          `The cell used ${toMib(rss)} MiB, allowed are ${toMib(cell.limitBytes)}`,
        );
      } else if (withDisk && folderBytes(cell.folder) > maxFolderBytes) {
        cell.kill("disk", `The cell filled its folder beyond ${toMib(maxFolderBytes)} MiB`);
      }
    }
  }

  return {
    add(cell) {
      cells.add(cell);
      timer ??= setInterval(poll, memoryPollMs);
      return () => {
        cells.delete(cell);
        if (cells.size > 0) return;
        clearInterval(timer);
        timer = undefined;
      };
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

function toMib(bytes: number): number {
  return Math.round(bytes / 1024 / 1024);
}
