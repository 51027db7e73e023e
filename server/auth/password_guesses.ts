// How often passwords may be guessed: ten times in 15 minutes for a name from one address, a hundred times from one
// address for all names. Counted by address, so that a stranger's guesses lock nobody else out. Caller: sign_in_flow.

import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { hashSecret } from "./secrets.ts";

export interface PasswordGuesses extends Disposable {
  /** Counts as a wrong guess, so that those at the same moment count too. Throws RATE_LIMITED. */
  begin(name: string, address: string): Promise<Guess>;
}

export interface Guess {
  /** It was right: the name's count from here begins anew. */
  right(): void;
  /** It was not checked. */
  undo(): void;
}

export interface PasswordGuessesOptions {
  perName?: number;
  perAddress?: number;
  windowMs?: number;
}

export function createPasswordGuesses(options: PasswordGuessesOptions = {}): PasswordGuesses {
  const { perName = 10, perAddress = 100, windowMs = 15 * 60_000 } = options;
  const duration = windowMs / 1000;
  const names = new RateLimiterMemory({ points: perName, duration });
  const addresses = new RateLimiterMemory({ points: perAddress, duration });
  let begun = 0;

  function clear(): void {
    // Each count waits for its window's end by a timer.
    for (const counter of [names, addresses]) {
      for (const { key } of counter.dump().storage) void counter.delete(key);
    }
  }

  return {
    async begin(name, address) {
      // Whoever commands this many addresses gains nothing by what is forgotten then.
      if (++begun % maxCounted === 0) clear();
      const network = networkOf(address);
      const pair = hashSecret(`${name} ${network}`);
      await consume(addresses, network);
      await consume(names, pair);
      return {
        right() {
          void addresses.reward(network);
          void names.delete(pair);
        },
        undo() {
          void addresses.reward(network);
          void names.reward(pair);
        },
      };
    },
    [Symbol.dispose]: clear,
  };
}

const maxCounted = 20_000;

async function consume(counter: RateLimiterMemory, key: string): Promise<void> {
  try {
    await counter.consume(key);
  } catch (full) {
    if (!(full instanceof RateLimiterRes)) throw full;
    throw new AppError("RATE_LIMITED", "Too many wrong passwords; try again later", {
      details: { retryAfterMs: full.msBeforeNext },
    });
  }
}

/** Of IPv6 the first 64 bits: who has one address there has them all. */
function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !address.includes(":")) return mapped ?? address;
  const [left = [], right] = address.split("::").map((half) => half.split(":").filter(Boolean));
  const missing = right === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  return [...left, ...Array<string>(missing).fill("0"), ...right ?? []].slice(0, 4).join(":");
}
