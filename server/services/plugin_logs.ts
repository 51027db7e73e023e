// Log lines of plugins on disk, one file each, so that they outlive a crash and a restart of the server.
// Caller: compose. What is read back is not believed: the host checks and cleans each line.

import { join } from "node:path";
import { keptLines } from "../../plugins/runtime/host/event_journal.ts";
import type { LogStore } from "../../plugins/runtime/host/plugin_log.ts";
import { type JsonLines, openJsonLines } from "./json_lines.ts";

export interface PluginLogs extends LogStore, AsyncDisposable {}

export interface PluginLogsOptions {
  folder: string;
  /** Size at which a plugin's file is turned over, bytes. Default 10 MiB. */
  maxBytes?: number;
  failed(error: unknown): void;
}

/** Makes the folder, if there is none. A kill costs the lines of the last 200 ms. */
export function openPluginLogs({ folder, maxBytes, failed }: PluginLogsOptions): PluginLogs {
  const files = new Map<string, JsonLines>();
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const pathOf = (pluginId: string) => join(folder, `${pluginId}.jsonl`);

  function open(pluginId: string): JsonLines {
    const bound = maxBytes === undefined ? {} : { maxBytes };
    const lines = openJsonLines({ path: pathOf(pluginId), batchMs: 200, failed, ...bound });
    files.set(pluginId, lines);
    return lines;
  }

  return {
    load(pluginId) {
      try {
        return readNewest(pathOf(pluginId));
      } catch (error) {
        failed(error);
        return [];
      }
    },
    append: (pluginId, line) => (files.get(pluginId) ?? open(pluginId)).add(line),
    async [Symbol.asyncDispose]() {
      await Promise.all(Array.from(files.values(), (lines) => lines[Symbol.asyncDispose]()));
    },
  };
}

/** One more than is kept: by it the host knows whether any is missing. */
const readLines = keptLines + 1;
const chunkBytes = 256 * 1024;

/** The newest lines, oldest first; undefined stands for what cannot be read, and for what was turned away. */
function readNewest(path: string): unknown[] {
  const newest = readTail(path, readLines);
  mendEnd(path, newest);
  const rest = readLines - newest.length;
  const older = rest > 0 ? readTail(`${path}.1`, rest) : [];
  const all = [...older, ...newest];
  // Where a file was turned over, others may have been before it.
  const hole = older.length > 0 && all.length < readLines ? [undefined] : [];
  return [...hole, ...all.map(parseLine)];
}

/** The last `count` lines of a file, read from its end; none of a file that is not there. */
function readTail(path: string, count: number): string[] {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  using opened = file;
  const chunks: Uint8Array[] = [];
  let breaks = 0;
  let at = opened.statSync().size;
  // One break more than lines: the first of them must be whole.
  while (at > 0 && breaks <= count) {
    const length = Math.min(chunkBytes, at);
    at -= length;
    opened.seekSync(at, Deno.SeekMode.Start);
    const chunk = readExactly(opened, length);
    for (const byte of chunk) if (byte === lineBreak) breaks++;
    chunks.unshift(chunk);
  }
  const text = new TextDecoder().decode(concat(chunks));
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.slice(-count);
}

/** A line that a kill tore off must not take the next one with it. */
function mendEnd(path: string, lines: readonly string[]): void {
  if (lines.length === 0) return;
  using file = Deno.openSync(path, { read: true, append: true });
  file.seekSync(-1, Deno.SeekMode.End);
  if (readExactly(file, 1)[0] !== lineBreak) file.writeSync(new Uint8Array([lineBreak]));
}

const lineBreak = 10;

function readExactly(file: Deno.FsFile, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const count = file.readSync(bytes.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return bytes.subarray(0, filled);
}

function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
