import assert from "node:assert/strict";
import { join } from "node:path";
import { GGMLQuantizationType, gguf } from "@huggingface/gguf";
import { sharedModelsFolder, sharedModelsProblem } from "../server/testing/shared_models.ts";
import { readGguf } from "./gguf.ts";
import { makeFullGguf } from "./testing/gguf_file.ts";
import { readerOf } from "./testing/reader.ts";

const demo = new URL("demo/demo-stories-q8_0.gguf", import.meta.url);
const problem = sharedModelsProblem();
if (problem !== undefined) console.log(`skipped: readGguf against the hub's parser, ${problem}`);

Deno.test("readGguf and the hub's parser agree on a built file", async () => {
  await compare(makeFullGguf());
});

Deno.test("readGguf and the hub's parser agree on the demo model", async () => {
  await compare(await Deno.readFile(demo));
});

Deno.test({
  name: "readGguf and the hub's parser agree on real models",
  ignore: problem !== undefined,
  async fn() {
    for (const name of ["aidreams260K-f32.gguf", "rand-15M-q8_0.gguf"]) {
      await compare(await Deno.readFile(join(sharedModelsFolder, name)));
    }
  },
});

async function compare(file: Uint8Array<ArrayBuffer>): Promise<void> {
  const header = await readGguf(readerOf(file));
  // Answered from memory: nothing goes out.
  const { metadata, tensorInfos, tensorDataOffset, parameterCount } = await gguf(
    "https://model.invalid/model.gguf",
    { computeParametersCount: true, fetch: (_, init) => Promise.resolve(answer(file, init)) },
  );
  const values = new Map<string, unknown>(Object.entries(metadata));
  const count = (key: string) => {
    const value = values.get(`${header.architecture}.${key}`);
    return value === undefined ? undefined : Number(value);
  };
  const tokens = values.get("tokenizer.ggml.tokens");
  assert.deepEqual(
    {
      version: header.version,
      architecture: header.architecture,
      name: header.name,
      license: header.license,
      template: header.chatTemplate,
      contextLength: header.contextLength,
      embeddingLength: header.embeddingLength,
      blockCount: header.blockCount,
      vocabSize: header.vocabSize,
      tensorCount: header.tensorCount,
      parameterCount: header.parameterCount,
      headerBytes: header.headerBytes,
    },
    {
      version: metadata.version,
      architecture: values.get("general.architecture"),
      name: clean(values.get("general.name")),
      license: clean(values.get("general.license")),
      template: values.get("tokenizer.chat_template"),
      contextLength: count("context_length"),
      embeddingLength: count("embedding_length"),
      blockCount: count("block_count"),
      vocabSize: Array.isArray(tokens) ? tokens.length : undefined,
      tensorCount: tensorInfos.length,
      parameterCount,
      headerBytes: Number(tensorDataOffset),
    },
  );
  if (header.shape !== undefined) {
    const heads = count("attention.head_count") ?? NaN;
    assert.equal(header.shape.headCountKv, count("attention.head_count_kv") ?? heads);
    assert.equal(
      header.shape.keyLength,
      count("attention.key_length") ?? header.shape.embeddingLength / heads,
    );
  }
  const dominant = new Map<string, number>();
  for (const { dtype, shape } of tensorInfos) {
    const name = GGMLQuantizationType[dtype] ?? "";
    dominant.set(
      name,
      (dominant.get(name) ?? 0) + shape.reduce((all, size) => all * Number(size), 1),
    );
  }
  const [most] = [...dominant].sort((a, b) => b[1] - a[1])[0] ?? [];
  assert.equal(header.quantization, most);
}

function clean(value: unknown): string | undefined {
  return typeof value === "string" ? value.replace(/[\p{C}\s]+/gu, " ") : undefined;
}

function answer(file: Uint8Array<ArrayBuffer>, init: RequestInit | undefined): Response {
  const range = /bytes=(\d+)-(\d+)/.exec(new Headers(init?.headers).get("range") ?? "");
  const [from, to] = [Number(range?.[1]), Math.min(Number(range?.[2]), file.length - 1)];
  return new Response(file.slice(from, to + 1), {
    status: 206,
    headers: { "content-range": `bytes ${from}-${to}/${file.length}` },
  });
}
