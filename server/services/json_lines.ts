// Appends records to a file, one JSON line each, in batches; the file is turned over when it is full,
// and one old one is kept.

export interface JsonLines extends AsyncDisposable {
  add(record: unknown): void;
}

export interface JsonLinesOptions {
  path: string;
  /** Size at which the file is turned over, bytes. Default 10 MiB. */
  maxBytes?: number;
  /** Longest time that a line is held back, ms. Default 500. */
  batchMs?: number;
  failed(error: unknown): void;
}

export function openJsonLines(
  { path, maxBytes = 10 * 1024 * 1024, batchMs = 500, failed }: JsonLinesOptions,
): JsonLines {
  let held: string[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let writing: Promise<void> = Promise.resolve();

  function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const lines = held;
    held = [];
    if (lines.length > 0) {
      writing = writing.then(() => append(path, lines.join(""), maxBytes)).catch(failed);
    }
    return writing;
  }

  return {
    add(record) {
      held.push(JSON.stringify(record) + "\n");
      timer ??= setTimeout(flush, batchMs);
    },
    [Symbol.asyncDispose]: () => flush(),
  };
}

async function append(path: string, text: string, maxBytes: number): Promise<void> {
  const size = (await Deno.stat(path).catch(() => undefined))?.size ?? 0;
  if (size + text.length > maxBytes && size > 0) await Deno.rename(path, `${path}.1`);
  await Deno.writeTextFile(path, text, { append: true, mode: 0o600 });
}
