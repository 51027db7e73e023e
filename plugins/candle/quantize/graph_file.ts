// The ONNX file of a model of the host as bytes, and bytes as a model that the engine loads.

import { PluginError } from "@bkg/plugin";
import type { OpenModel } from "@bkg/plugin";
import type { Context } from "../settings.ts";
import type { Bytes } from "./protobuf.ts";

/** Throws INVALID_INPUT for a model of several ONNX files, and for one that is too large to be rewritten here. */
export async function readGraph(
  { models }: Pick<Context, "models">,
  id: string,
  signal: AbortSignal,
): Promise<Bytes> {
  const opened = await models.open(id);
  try {
    const graphs = opened.files.filter(({ name }) => /\.onnx$/i.test(name));
    const [file] = graphs;
    if (file === undefined || graphs.length > 1) {
      throw refusal(`"${id}" has ${graphs.length} ONNX files, and one is needed`);
    }
    if (file.size > maxBytes) {
      throw refusal(`"${id}" has ${file.size} bytes, and at most ${maxBytes} can be quantised`);
    }
    const whole = new Uint8Array(file.size);
    for (let start = 0; start < file.size; start += pieceBytes) {
      signal.throwIfAborted();
      const end = Math.min(start + pieceBytes, file.size);
      whole.set(new Uint8Array(await file.slice(start, end).arrayBuffer()), start);
    }
    return whole;
  } finally {
    opened.close();
  }
}

export function openBytes(id: string, bytes: Bytes): OpenModel {
  const file = {
    name: "model.onnx",
    size: bytes.length,
    slice: (start: number, end: number) => ({
      size: end - start,
      arrayBuffer: () => Promise.resolve(bytes.slice(start, end).buffer),
    }),
  };
  return { id, size: bytes.length, format: "onnx", files: [file], close: () => {} };
}

function refusal(problem: string): PluginError {
  return new PluginError("INVALID_INPUT", `The model cannot be quantised: ${problem}`, {
    details: { field: "model" },
  });
}

const pieceBytes = 16 * 1024 * 1024;
const maxBytes = 512 * 1024 * 1024;
