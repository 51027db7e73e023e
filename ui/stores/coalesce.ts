// Work that many ask for at once and that is done for all of them together. Caller: chats.ts.

/** Whoever asks while `work` runs is served by one more run of it. */
export function coalesce(work: () => Promise<void>): () => void {
  let running = false;
  let again = false;
  const run = async () => {
    running = true;
    do {
      again = false;
      await work();
    } while (again);
    running = false;
  };
  return () => {
    again = true;
    if (!running) void run();
  };
}
