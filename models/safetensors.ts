// Reads and validates a safetensors header before any engine opens the file.
// Called by the stores and the puller, in Deno and in a page. Format: safetensors' README and tensor.rs.

import { ByteCursor, type ByteReader } from "./format/cursor.ts";
import { cleanText, maxDescriptionChars, maxNameChars, quote } from "./format/text.ts";
import { createJsonReader, type JsonReader } from "./safetensors/json.ts";
import { type SafetensorsLimits, safetensorsLimits } from "./safetensors/limits.ts";
import { refuse } from "./safetensors/refuse.ts";
import { createTensors } from "./safetensors/tensors.ts";

export type { ByteReader } from "./format/cursor.ts";
export { type SafetensorsLimits, safetensorsLimits } from "./safetensors/limits.ts";

/** What a valid header says. Text is cleaned of control and bidi characters. */
export interface SafetensorsHeader {
  parameterCount: number;
  tensorCount: number;
  /** The type that holds most elements, as the format calls it: "F32", "BF16", "I8". */
  quantization: string | undefined;
  /** Bytes before the tensor data. */
  headerBytes: number;
  /** `__metadata__`; long values are left out. */
  metadata: ReadonlyMap<string, string>;
}

export interface ReadSafetensorsOptions {
  limits?: Partial<SafetensorsLimits>;
  signal?: AbortSignal;
}

/** Reads the header. Throws INVALID_MODEL, naming the field, its offset and the limit; a reader's own errors pass. */
export async function readSafetensors(
  reader: ByteReader,
  options: ReadSafetensorsOptions = {},
): Promise<SafetensorsHeader> {
  const limits: SafetensorsLimits = { ...safetensorsLimits, ...options.limits };
  const cursor = new ByteCursor(reader, { refuse, signal: options.signal });
  const length = (await cursor.readView(lengthBytes, "header length")).getBigUint64(0, true);
  if (length > BigInt(limits.headerBytes)) {
    refuse(`is ${length}`, { field: "header length", offset: 0, limit: limits.headerBytes });
  }
  const view = await cursor.readView(Number(length), "header");
  const json = createJsonReader(
    new Uint8Array(view.buffer, view.byteOffset, view.byteLength),
    lengthBytes,
  );
  const tensors = createTensors({ dataBytes: cursor.remaining, limits });
  if (view.byteLength === 0 || view.getUint8(0) !== openBrace) {
    refuse("does not start with it", { field: "header", offset: lengthBytes, limit: '"{"' });
  }

  let metadata: ReadonlyMap<string, string> = new Map();
  const names = new Set<string>();
  const label = () => "header";
  json.expect("{", label);
  if (!json.accept("}")) {
    do {
      const offset = json.position;
      const name = json.readString(() => `name of tensor ${names.size}`, limits.nameBytes);
      if (names.has(name)) {
        refuse("comes twice", { field: `tensor ${quote(name)}`, offset, limit: "once" });
      }
      names.add(name);
      json.expect(":", () => `tensor ${quote(name)}`);
      if (name === metadataName) metadata = readMetadata(json, limits);
      else tensors.read(json, name);
    } while (json.accept(","));
    json.expect("}", label);
  }
  json.finish(label);
  tensors.finish();
  if (tensors.count === 0) {
    refuse("has no tensors", { field: "header", offset: lengthBytes, limit: "1 at least" });
  }
  return {
    parameterCount: tensors.parameterCount,
    tensorCount: tensors.count,
    quantization: tensors.dominantType,
    headerBytes: lengthBytes + Number(length),
    metadata,
  };
}

function readMetadata(json: JsonReader, limits: SafetensorsLimits): ReadonlyMap<string, string> {
  const metadata = new Map<string, string>();
  const keys = new Set<string>();
  const label = () => metadataName;
  json.expect("{", label);
  if (json.accept("}")) return metadata;
  do {
    const offset = json.position;
    const key = json.readString(() => `key in ${metadataName}`, limits.nameBytes);
    const place = () => `${quote(key)} of ${metadataName}`;
    if (keys.has(key)) {
      refuse("comes twice", { field: place(), offset, limit: "once" });
    }
    if (keys.size >= limits.metadataCount) {
      refuse("is one key too many", {
        field: place(),
        offset,
        limit: limits.metadataCount,
      });
    }
    keys.add(key);
    json.expect(":", label);
    const value = json.readShortString(place, limits.shownBytes);
    const shownKey = cleanText(key, maxNameChars);
    const shownValue = cleanText(value, maxDescriptionChars);
    if (shownKey !== undefined && shownValue !== undefined) metadata.set(shownKey, shownValue);
  } while (json.accept(","));
  json.expect("}", label);
  return metadata;
}

const lengthBytes = 8;
const openBrace = 0x7b;
const metadataName = "__metadata__";
