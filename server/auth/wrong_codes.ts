// How often a code that signs in may be wrong. 192 random bits cannot be guessed; the limit keeps noise and work away,
// and locks nobody out, because a right code is never counted. Caller: sign_in_flow.

import { AppError } from "../../plugins/runtime/contract/error.ts";

export interface WrongCodes {
  /** Counts one more wrong code and answers what to throw; what is over the limit is not counted. */
  refuse(message: string): AppError;
}

export function createWrongCodes({ now }: { now: () => number }): WrongCodes {
  let wrongAtMs: number[] = [];
  return {
    refuse(message) {
      const atMs = now();
      wrongAtMs = wrongAtMs.filter((earlierMs) => earlierMs > atMs - windowMs);
      const oldestMs = wrongAtMs[0];
      if (oldestMs !== undefined && wrongAtMs.length >= maxWrong) {
        return new AppError("RATE_LIMITED", "Too many wrong sign-in codes; wait a minute", {
          details: { retryAfterMs: oldestMs + windowMs - atMs },
        });
      }
      wrongAtMs.push(atMs);
      return new AppError("UNAUTHENTICATED", message);
    },
  };
}

const maxWrong = 10;
const windowMs = 60_000;
