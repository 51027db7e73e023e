// Timers as a parameter, so that tests move time by hand. Each answers a function that cancels it.

export interface Timers {
  after(delayMs: number, run: () => void): () => void;
  every(intervalMs: number, run: () => void): () => void;
}

export const systemTimers: Timers = {
  after(delayMs, run) {
    const id = setTimeout(run, delayMs);
    return () => clearTimeout(id);
  },
  every(intervalMs, run) {
    const id = setInterval(run, intervalMs);
    return () => clearInterval(id);
  },
};
