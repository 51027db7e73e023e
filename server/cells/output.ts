// Reads what a plugin wrote to stdout or stderr, line by line, without ever holding much of it.
// What is left in the pipe of a process that ended is read at once: nobody waits for the flood of the dead.

const maxLineChars = 2000;
/** Bytes a second that are read; a flood waits in the pipe and slows only its writer. */
const maxBytesPerSecond = 1_000_000;

export async function pumpOutput(
  stream: ReadableStream<Uint8Array>,
  take: (line: string) => void,
  ended: Promise<unknown>,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  let budget = maxBytesPerSecond;
  let windowEndsAt = performance.now() + 1000;
  try {
    for await (const chunk of stream) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = (lines.pop() ?? "").slice(0, maxLineChars);
      for (const line of lines) take(line.slice(0, maxLineChars));
      budget -= chunk.length;
      const now = performance.now();
      if (budget < 0 && now < windowEndsAt) {
        await pause(windowEndsAt - now, ended);
      }
      if (performance.now() >= windowEndsAt) {
        budget = maxBytesPerSecond;
        windowEndsAt = performance.now() + 1000;
      }
    }
  } catch {
    // The process is gone.
  }
  if (rest !== "") take(rest);
}

async function pause(ms: number, ended: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  await Promise.race([ended, new Promise((resolve) => timer = setTimeout(resolve, ms))]);
  clearTimeout(timer);
}
