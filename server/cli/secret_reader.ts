// Reads a line from the terminal that nobody beside it may read: nothing of it is shown. Caller: terminal.ts.

export interface SecretReaderDeps {
  read(buffer: Uint8Array): Promise<number | null>;
  /** Whether the terminal hands on each key as it is, and shows none. */
  setRaw(raw: boolean): void;
  write(text: string): void;
}

/** What was typed ahead of one question answers the next. */
export function createSecretReader(
  { read, setRaw, write }: SecretReaderDeps,
): (question: string) => Promise<string | undefined> {
  const ahead: number[] = [];

  async function readLine(): Promise<string | undefined> {
    const decoder = new TextDecoder();
    let line: number[] = [];
    const buffer = new Uint8Array(1024);
    while (true) {
      while (ahead.length > 0) {
        const key = ahead.shift()!;
        if (key === keys.enter || key === keys.lineFeed) {
          return decoder.decode(Uint8Array.from(line));
        }
        if (key === keys.interrupt || (key === keys.end && line.length === 0)) return undefined;
        if (key === keys.clear) line = [];
        else if (key === keys.delete || key === keys.backspace) line = withoutLast(line);
        else if (line.length < maxBytes) line.push(key);
      }
      const count = await read(buffer);
      if (count === null) return undefined;
      ahead.push(...buffer.subarray(0, count));
    }
  }

  return async (question) => {
    // Before the question: who answers at once must not see it.
    setRaw(true);
    try {
      write(question);
      return await readLine();
    } finally {
      setRaw(false);
      write("\n");
    }
  };
}

const keys = {
  interrupt: 0x03,
  end: 0x04,
  backspace: 0x08,
  lineFeed: 0x0a,
  enter: 0x0d,
  clear: 0x15,
  delete: 0x7f,
};
const maxBytes = 4096;

/** Without the last character, which may be several bytes of UTF-8. */
function withoutLast(line: readonly number[]): number[] {
  const start = line.findLastIndex((byte) => (byte & 0xc0) !== 0x80);
  return line.slice(0, Math.max(start, 0));
}
