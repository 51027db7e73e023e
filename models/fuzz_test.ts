// 14,000 damaged files: each is refused as INVALID_MODEL or accepted for good reason, in bounded time and memory.

import assert from "node:assert/strict";
import { join } from "node:path";
import { AppError } from "../plugins/runtime/contract/error.ts";
import { sharedModelsFolder, sharedModelsProblem } from "../server/testing/shared_models.ts";
import { readGguf } from "./gguf.ts";
import { readOnnx } from "./onnx.ts";
import { readSafetensors } from "./safetensors.ts";
import { makeFullGguf } from "./testing/gguf_file.ts";
import { mutateBytes, pickOdd, putNumber, type Random } from "./testing/mutate.ts";
import { fullOnnxFiles, makeFullOnnx } from "./testing/onnx_file.ts";
import { mutateTree, parseTree } from "./testing/proto_tree.ts";
import { makeRandom } from "./testing/random.ts";
import { readerOf } from "./testing/reader.ts";
import { recheckGguf, recheckOnnx, recheckSafetensors } from "./testing/recheck.ts";
import { goodHeader, makeSafetensors } from "./testing/safetensors_file.ts";

const problem = sharedModelsProblem();
if (problem !== undefined) console.log(`skipped: fuzzing of real files, ${problem}; built ones do`);
const readReal = async (path: string) =>
  problem === undefined ? await Deno.readFile(join(sharedModelsFolder, path)) : undefined;

const maxFileMs = 2000;
const maxTotalMs = 120_000;
const maxGrowthBytes = 512 * 1024 * 1024;

Deno.test("readGguf survives 6,000 damaged files", async () => {
  const built = makeFullGguf();
  const real = await readReal("aidreams260K-f32.gguf") ?? built;
  const places = new Map([built, real].map((file) => [file, recheckGguf(file)]));
  await fuzz({
    name: "GGUF",
    count: 6000,
    seed: 20_261_121,
    mutate(random) {
      const file = random(4) === 0 ? real : built;
      const numbers = places.get(file) ?? [];
      if (random(2) === 0) {
        return mutateBytes(file, { random, reach: (numbers.at(-1)?.at ?? 0) + 8 });
      }
      const copy = file.slice();
      for (let count = random(2) + 1; count > 0; count--) {
        const place = numbers[random(numbers.length)];
        const value = random(2) === 0 ? pickOdd(random) : BigInt(random(64));
        if (place !== undefined) putNumber(copy, { ...place, value });
      }
      return copy;
    },
    async check(file) {
      const reader = readerOf(file);
      const header = await readGguf(reader);
      recheckGguf(file, header);
      return reader.bytesRead;
    },
  });
});

Deno.test("readOnnx survives 6,000 damaged files", async () => {
  const full = makeFullOnnx();
  const small = await readReal("../yunet/yunet_n_320_320.onnx") ?? full;
  const large = await readReal("../silero-vad/silero_vad.onnx") ?? full;
  const trees = new Map([full, small, large].map((file) => [file, parseTree(file)]));
  await fuzz({
    name: "ONNX",
    count: 6000,
    seed: 20_261_122,
    mutate(random) {
      const file = random(4) > 0 ? full : random(8) > 0 ? small : large;
      // A large file's tree is copied for each mutant: bytes do for most of them.
      const tree = file === full || random(4) === 0 ? trees.get(file) : undefined;
      return tree === undefined || random(3) === 0
        ? mutateBytes(file, { random })
        : mutateTree(tree, random);
    },
    async check(file) {
      const reader = readerOf(file);
      const header = await readOnnx(reader, { externalFiles: fullOnnxFiles });
      recheckOnnx(file, header, fullOnnxFiles);
      return reader.bytesRead;
    },
  });
});

Deno.test("readSafetensors survives 2,000 damaged files", async () => {
  const file = makeSafetensors();
  await fuzz({
    name: "Safetensors",
    count: 2000,
    seed: 20_261_123,
    mutate(random) {
      if (random(4) === 0) return mutateBytes(file, { random, reach: 8 + goodHeader.length });
      return random(2) === 0
        ? makeSafetensors(mutateHeader(random))
        : makeSafetensorsAtRandom(random);
    },
    async check(mutant) {
      const reader = readerOf(mutant);
      recheckSafetensors(mutant, await readSafetensors(reader));
      return reader.bytesRead;
    },
  });
});

interface FuzzOptions {
  name: string;
  count: number;
  seed: number;
  mutate(random: Random): Uint8Array;
  /** Reads and checks again; answers how many bytes were read. */
  check(file: Uint8Array): Promise<number>;
}

async function fuzz({ name, count, seed, mutate, check }: FuzzOptions): Promise<void> {
  const random = makeRandom(seed);
  const rssAtStart = Deno.memoryUsage().rss;
  const reasons = new Set<string>();
  let [accepted, refused, totalMs, slowestMs, growthBytes] = [0, 0, 0, 0, 0];
  for (let round = 0; round < count; round++) {
    const file = mutate(random);
    const startedMs = performance.now();
    try {
      const bytesRead = await check(file);
      assert.ok(bytesRead <= 2 * file.length + 4096, `${bytesRead} of ${file.length} bytes read`);
      accepted++;
    } catch (error) {
      assert.ok(
        error instanceof AppError,
        `${name} ${round}: ${Error.isError(error) ? error.stack : error}`,
      );
      assert.equal(error.code, "INVALID_MODEL");
      assert.ok(error.message.length < 1000);
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(error.message, /[\u0000-\u001f\u202a-\u202e\u2066-\u2069]/u);
      reasons.add(error.message.replace(/"(?:[^"]*)"|\d+/g, ""));
      refused++;
    }
    const tookMs = performance.now() - startedMs;
    totalMs += tookMs;
    slowestMs = Math.max(slowestMs, tookMs);
    if (round % 250 === 0) growthBytes = Math.max(growthBytes, Deno.memoryUsage().rss - rssAtStart);
  }
  console.log(
    `${name}: ${count} files, ${accepted} accepted, ${refused} refused for ${reasons.size} reasons, ` +
      `${(totalMs / 1000).toFixed(1)} s, slowest ${slowestMs.toFixed(0)} ms, ` +
      `memory +${(growthBytes / 2 ** 20).toFixed(0)} MiB`,
  );
  // Both must be many, or the damage is of the wrong kind.
  assert.ok(accepted > count / 50 && refused > count / 4);
  assert.ok(slowestMs < maxFileMs && totalMs < maxTotalMs);
  assert.ok(growthBytes < maxGrowthBytes);
}

/** Damages tokens of the header: numbers, keys, types, nesting. */
function mutateHeader(random: Random): string {
  const tokens = goodHeader.split(/(?<=[\[\]{}:,])|(?=[\[\]{}:,])/);
  for (let count = random(3) + 1; count > 0; count--) {
    const at = random(tokens.length);
    const token = tokens[at] ?? "";
    const other = tokens[random(tokens.length)] ?? "";
    if (/^\d+$/.test(token) && random(2) === 0) tokens[at] = String(pickOdd(random));
    else {tokens[at] =
        ["", token + token, other, `${token},${token}`, "[".repeat(5000)][random(5)] ?? "";}
  }
  return tokens.join("");
}

/** A header of a few tensors that fit their data, but for one number or type in every second. */
function makeSafetensorsAtRandom(random: Random): Uint8Array {
  const widths: [string, number][] = [["F32", 4], ["BF16", 2], ["I8", 1], ["F64", 8]];
  const isDamaged = random(2) === 0;
  const count = 1 + random(5);
  let end = 0;
  const tensors = Array.from({ length: count }, (_, index) => {
    const [dtype, width] = widths[random(4)] ?? ["I8", 1];
    const shape = Array.from({ length: random(3) }, () => random(4));
    const start = isDamaged && random(4) === 0 ? random(end + 3) : end;
    end = start + shape.reduce((product, size) => product * size, width);
    const numbers = [start, end, ...shape].map(String);
    if (isDamaged && random(count) === 0) {
      numbers[random(numbers.length)] = String(random(2) === 0 ? random(end + 9) : pickOdd(random));
    }
    const type = isDamaged && random(9) === 0 ? "F8_E4M3" : dtype;
    return `"t${index}":{"dtype":"${type}","shape":[${numbers.slice(2)}],` +
      `"data_offsets":[${numbers.slice(0, 2)}]}`;
  });
  const dataBytes = isDamaged && random(5) === 0 ? random(end + 5) : end;
  return makeSafetensors(`{${tensors.join()}}`, { dataBytes });
}
