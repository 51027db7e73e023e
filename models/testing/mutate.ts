// Damages files the way that finds what a validator forgot: bits, numbers that count something, cuts, splices.

import { joinBytes } from "../gguf/encode.ts";

export type Random = (limit: number) => number;

/** Numbers that wrap, overflow, or mean something else when they are signed. */
export const oddNumbers: readonly bigint[] = [
  0n,
  1n,
  -1n,
  127n,
  128n,
  255n,
  2n ** 16n - 1n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n,
  2n ** 62n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 8n,
];

/** A copy with one to four changes among its first `reach` bytes. */
export function mutateBytes(
  original: Uint8Array,
  { random, reach = original.length }: { random: Random; reach?: number },
): Uint8Array {
  let file: Uint8Array = original.slice();
  for (let count = random(4) + 1; count > 0; count--) {
    file = change(file, { random, at: random(Math.min(reach, file.length) || 1) });
  }
  return file;
}

/** Writes a number, little-endian, over `bytes` bytes. */
export function putNumber(
  file: Uint8Array,
  { at, bytes, value }: { at: number; bytes: number; value: bigint },
): void {
  for (let index = 0; index < bytes && at + index < file.length; index++) {
    file[at + index] = Number(BigInt.asUintN(64, value) >> BigInt(8 * index) & 0xffn);
  }
}

export function pickOdd(random: Random): bigint {
  return oddNumbers[random(oddNumbers.length)] ?? 0n;
}

function change(file: Uint8Array, { random, at }: { random: Random; at: number }): Uint8Array {
  switch (random(9)) {
    case 0:
      file[at] = (file[at] ?? 0) ^ (1 << random(8));
      return file;
    case 1:
      file[at] = [0, 1, 8, 0x7f, 0x80, 0xff][random(6)] ?? 0;
      return file;
    case 2:
      putNumber(file, { at, bytes: 4, value: pickOdd(random) });
      return file;
    case 3:
      putNumber(file, { at, bytes: 8, value: pickOdd(random) });
      return file;
    case 4: // a run of ones, as in a length near 2^64
      file.fill(0xff, at, at + 1 + random(8));
      return file;
    case 5: // bytes move: everything behind is read at the wrong place
      return joinBytes([file.subarray(0, at), file.subarray(at + 1 + random(9))]);
    case 6: {
      const copied = file.subarray(at, at + 1 + random(64));
      return joinBytes([file.subarray(0, at), copied, file.subarray(at)]);
    }
    case 7: {
      const from = random(file.length);
      file.copyWithin(at, from, from + 1 + random(32));
      return file;
    }
    default:
      return file.subarray(0, random(8) === 0 ? at : Math.max(at, file.length - random(16)));
  }
}
