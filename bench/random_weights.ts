// Random weights in ggml's block formats, as fast as memory allows: xorshift32 bits go into the blocks
// as they are, and the block's scale gives the spread. Only for models that nobody is to understand.

export type WeightType = "q8_0" | "q4_0" | "f16";

export interface WeightFormat {
  /** ggml type id. */
  id: number;
  /** `general.file_type`. */
  fileType: number;
  blockElements: number;
  blockBytes: number;
}

export const weightFormats: Readonly<Record<WeightType | "f32", WeightFormat>> = {
  f32: { id: 0, fileType: 0, blockElements: 1, blockBytes: 4 },
  f16: { id: 1, fileType: 1, blockElements: 1, blockBytes: 2 },
  q4_0: { id: 2, fileType: 2, blockElements: 32, blockBytes: 18 },
  q8_0: { id: 8, fileType: 7, blockElements: 32, blockBytes: 34 },
};

export interface FillOptions {
  /** Standard deviation of the weights; 0 means ones, for norms in f32. */
  std: number;
  type: WeightType | "f32";
}

/** A source of weights; one seed, one sequence. */
export function createWeightFiller(seed: number) {
  let state = mix(seed);
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state;
  };

  /** Yields the bytes of `elements` weights; each chunk is valid until the next. */
  function* fill(elements: number, { std, type }: FillOptions): Generator<Uint8Array> {
    if (type === "f32") {
      yield new Uint8Array(new Float32Array(elements).fill(1).buffer);
      return;
    }
    const { blockElements, blockBytes } = weightFormats[type];
    const unitBlocks = type === "f16" ? 1 : blockElements;
    const unitBytes = type === "f16" ? 2 : blockBytes;
    const units = elements / unitBlocks;
    const chunkUnits = Math.min(units, Math.floor(chunkBytes / unitBytes));
    const chunk = new Uint16Array(chunkUnits * unitBytes / 2);
    const fillChunk = type === "f16" ? makeF16Filler(std) : makeBlockFiller(std, type);
    for (let left = units; left > 0; left -= chunkUnits) {
      const part = chunk.subarray(0, Math.min(left, chunkUnits) * unitBytes / 2);
      fillChunk(part, next);
      yield new Uint8Array(part.buffer, 0, part.byteLength);
    }
  }
  return { fill };
}

/** Half-precision bits of a number; subnormals become zero. */
export function toF16Bits(value: number): number {
  const bits = new Uint32Array(new Float32Array([value]).buffer)[0] ?? 0;
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 0xff) - 127 + 15;
  if (exponent <= 0) return sign;
  return sign | (((exponent << 10) | ((bits >>> 13) & 0x3ff)) + ((bits >>> 12) & 1));
}

type FillChunk = (words: Uint16Array, next: () => number) => void;

/** Blocks of a half-precision scale and 32 numbers, of 8 bits or 4. */
function makeBlockFiller(std: number, type: "q8_0" | "q4_0"): FillChunk {
  const scale = toF16Bits(std / (type === "q8_0" ? q8Std : q4Std));
  const words = weightFormats[type].blockBytes / 2;
  return (chunk, next) => {
    for (let at = 0; at < chunk.length; at += words) {
      chunk[at] = scale;
      for (let word = at + 1; word < at + words; word += 2) {
        let bits = next();
        // Seven bits, sign extended: -64 to 63. ggml's own quantiser never writes -128 either.
        if (type === "q8_0") bits = (bits & 0x7f7f7f7f) | ((bits & 0x40404040) << 1);
        chunk[word] = bits;
        chunk[word + 1] = bits >>> 16;
      }
    }
  };
}

function makeF16Filler(std: number): FillChunk {
  const table = Uint16Array.from(
    { length: 4096 },
    (_, index) => toF16Bits(std * Math.sqrt(12) * ((index + 0.5) / 4096 - 0.5)),
  );
  return (chunk, next) => {
    for (let at = 0; at < chunk.length; at++) chunk[at] = table[next() >>> 20] ?? 0;
  };
}

/** Spreads a small seed over 32 bits; never 0, where xorshift stands still. */
function mix(seed: number): number {
  let mixed = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) || 1;
}

/** Of the uniform whole numbers -64 to 63, and -8 to 7. */
const q8Std = Math.sqrt((128 ** 2 - 1) / 12);
const q4Std = Math.sqrt((16 ** 2 - 1) / 12);
/** A multiple of no block: chunks are cut to whole ones. */
const chunkBytes = 2 * 1024 * 1024;
