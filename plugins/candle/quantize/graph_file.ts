// The ONNX file of a model of the host as bytes, and bytes as a model that the engine loads.

import { PluginError } from "@bkg/plugin";
import type { OpenModel } from "@bkg/plugin";
import type { Context } from "../settings.ts";
import type { Bytes } from "./protobuf.ts";

/** `file`: which of its ONNX files. Throws INVALID_INPUT for one that is too large to be rewritten here. */
export async function readGraph(
  { models }: Pick<Context, "models">,
  { id, file: name, signal }: { id: string; file: string | undefined; signal: AbortSignal },
): Promise<Bytes> {
  const opened = await models.open(id);
  try {
    const file = opened.files.find((other) => other.name === name);
    if (file === undefined) throw refusal(`"${id}" has no file "${name}" any more`);
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
