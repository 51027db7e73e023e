import assert from "node:assert/strict";
import { join } from "node:path";
import { sharedModelsFolder, sharedModelsProblem } from "../server/testing/shared_models.ts";
import { type OnnxHeader, readOnnx } from "./onnx.ts";
import {
  fullOnnxFiles,
  initializer,
  makeFullOnnx,
  makeOnnx,
  node,
  onnxType,
} from "./testing/onnx_file.ts";
import { bytesField, encodeTag, encodeVarint, intField, messageField } from "./testing/proto.ts";
import { readerOf } from "./testing/reader.ts";

Deno.test("readOnnx passes a reader's own error and an abort", async () => {
  const failing = { size: 100, read: () => Promise.reject(new Error("disk on fire")) };
  await assert.rejects(readOnnx(failing), /disk on fire/);
  const signal = AbortSignal.abort();
  await assert.rejects(readOnnx(readerOf(makeOnnx()), { signal }), { name: "AbortError" });
});

Deno.test("readOnnx refuses a file that shrank since its size was taken", async () => {
  const file = makeOnnx();
  for (const length of [0, 1, 40, file.length - 1]) {
    const reader = { ...readerOf(file.subarray(0, length)), size: file.length };
    await assert.rejects(readOnnx(reader), { code: "INVALID_MODEL" });
  }
});

Deno.test("readOnnx refuses a file cut off at any byte", async () => {
  const file = makeFullOnnx();
  const options = { externalFiles: fullOnnxFiles };
  await readOnnx(readerOf(file), options);
  let accepted = 0;
  for (let length = 0; length < file.length; length++) {
    await readOnnx(readerOf(file.subarray(0, length)), options).then(
      () => accepted++,
      (error) => assert.equal(error.code, "INVALID_MODEL", String(error)),
    );
  }
  // Cut between two fields of the outermost message, behind all that a model needs: still a model.
  assert.equal(accepted, 4);
});

Deno.test("readOnnx returns what a full model says", async () => {
  assert.deepEqual(await readOnnx(readerOf(makeFullOnnx()), { externalFiles: fullOnnxFiles }), {
    irVersion: 8,
    opsets: new Map([["", 17]]),
    producer: "bkg",
    name: "main",
    description: "Says what it is",
    license: "Apache-2.0",
    inputs: [{ name: "x", type: "F32", shape: ["batch", 2] }],
    outputs: [{ name: "y", type: "F32", shape: [4] }],
    parameterCount: 8 + 8 + 3 + 2 + 2 + 3 + 2 + 2 + 5 + 0 + 8,
    quantization: "F32",
    nodeCount: 6,
    operatorCount: 4,
    externalFiles: ["data/w.bin"],
    metadata: new Map([["license", "Apache-2.0"], ["author", "some one"]]),
  });
});

Deno.test("readOnnx names the quantisation by weights and operators", async () => {
  const bits = messageField(5, [bytesField(1, "bits"), intField(3, 4), intField(20, 2)]);
  const cases: [string, number, string][] = [
    ["MatMul", onnxType.uint8, "uint8"],
    ["MatMulInteger", onnxType.uint8, "int8"],
    ["DynamicQuantizeLinear", onnxType.int8, "int8"],
    ["MatMulNBits", onnxType.uint8, "int4"],
  ];
  for (const [operator, type, quantization] of cases) {
    const graph = [node(operator, [bits]), initializer({ type, raw: 8 })];
    assert.equal((await readOnnx(readerOf(makeOnnx({ graph })))).quantization, quantization);
  }
});

Deno.test("readOnnx takes -1 and nothing for a size that is not known", async () => {
  const type = (...dims: Uint8Array[]) =>
    messageField(12, [
      bytesField(1, "y"),
      messageField(2, [messageField(1, [intField(1, 1), messageField(2, dims)])]),
    ]);
  const outputs = [
    type(messageField(1, [intField(1, -1)]), messageField(1, [])),
    messageField(12, [bytesField(1, "z")]),
  ];
  assert.deepEqual((await readOnnx(readerOf(makeOnnx({ outputs })))).outputs, [
    { name: "y", type: "F32", shape: ["?", "?"] },
    { name: "z", type: "unknown", shape: undefined },
  ]);
});

Deno.test("readOnnx reads little of a file of 3 GiB", async () => {
  const gib = 2 ** 30;
  const tensor = (bytes: number) => {
    const start = [
      intField(1, bytes / 4),
      intField(2, onnxType.f32),
      encodeTag(9, 2),
      encodeVarint(bytes),
    ];
    const length = start.reduce((sum, part) => sum + part.length, bytes);
    return { length, head: [encodeTag(5, 2), encodeVarint(length), ...start] };
  };
  // Three weights of 1 GiB whose bytes are never there: a read of them fails the test.
  const parts: { at: number; bytes: Uint8Array }[] = [];
  let at = 0;
  const add = (bytes: Uint8Array) => {
    parts.push({ at, bytes });
    at += bytes.length;
  };
  const rest = [node("MatMul"), messageField(12, [bytesField(1, "y")])];
  const weights = [tensor(gib), tensor(gib), tensor(gib)];
  const graphLength = weights.reduce(
    (sum, { head, length }) => sum + 1 + (head[1]?.length ?? 0) + length,
    rest.reduce((sum, part) => sum + part.length, 0),
  );
  for (const part of [intField(1, 8), messageField(8, [intField(2, 17)])]) add(part);
  add(encodeTag(7, 2));
  add(encodeVarint(graphLength));
  for (const { head } of weights) {
    for (const part of head) add(part);
    at += gib;
  }
  for (const part of rest) add(part);

  let bytesRead = 0;
  const header = await readOnnx({
    size: at,
    read(offset, length) {
      const bytes = new Uint8Array(Math.min(length, at - offset));
      bytesRead += bytes.length;
      for (const part of parts) {
        for (let index = 0; index < part.bytes.length; index++) {
          const place = part.at + index - offset;
          if (place >= 0 && place < bytes.length) bytes[place] = part.bytes[index] ?? 0;
        }
      }
      return Promise.resolve(bytes);
    },
  });
  assert.equal(header.parameterCount, 3 * gib / 4);
  assert.ok(bytesRead < 64 * 1024, `${bytesRead} bytes read`);
});

const problem = sharedModelsProblem();
if (problem !== undefined) console.log(`skipped: readOnnx on real files, ${problem}`);

Deno.test({
  name: "readOnnx accepts real files with their exact metadata",
  ignore: problem !== undefined,
  async fn() {
    const port = (name: string, type: string, shape: (number | string)[]) => ({
      name,
      type,
      shape,
    });
    const minilm = await readFile("minilm/onnx/model_quantized.onnx");
    assert.deepEqual(describe(minilm), [22_565_508, "int8", 474, 21, "", 12]);
    const text = ["batch_size", "sequence_length"];
    assert.deepEqual(minilm.inputs, [
      port("input_ids", "int64", text),
      port("attention_mask", "int64", text),
      port("token_type_ids", "int64", text),
    ]);
    assert.deepEqual(minilm.outputs, [port("last_hidden_state", "F32", [...text, 384])]);

    const yunet = await readFile("yunet/yunet_n_320_320.onnx");
    assert.deepEqual(describe(yunet), [73_857, "F32", 115, 8, "pytorch 1.7", 11]);
    assert.deepEqual(yunet.inputs, [port("input", "F32", [1, 3, 320, 320])]);
    assert.equal(yunet.outputs.length, 12);

    const silero = await readFile("silero-vad/silero_vad.onnx");
    assert.deepEqual(describe(silero), [545_601, "F32", 689, 25, "spox", 16]);
    assert.deepEqual(silero.inputs, [
      port("input", "F32", ["?", "?"]),
      port("state", "F32", [2, "?", 128]),
      port("sr", "int64", []),
    ]);

    const face = await readFile("mobilefacenet/mobilefacenet.onnx");
    assert.deepEqual(describe(face), [990_018, "F32", 162, 6, "pytorch 1.10", 11]);
    assert.deepEqual(face.inputs, [port("input", "F32", [1, 3, 112, 112])]);
  },
});

function describe(header: OnnxHeader) {
  return [
    header.parameterCount,
    header.quantization,
    header.nodeCount,
    header.operatorCount,
    header.producer ?? "",
    header.opsets.get(""),
  ];
}

async function readFile(name: string): Promise<OnnxHeader> {
  const file = await Deno.readFile(join(sharedModelsFolder, "..", name));
  const reader = readerOf(file);
  const header = await readOnnx(reader);
  assert.ok(reader.bytesRead < 300_000, `${name}: ${reader.bytesRead} bytes read`);
  return header;
}
