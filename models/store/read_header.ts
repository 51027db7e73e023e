// Reads one file of a model for what a record needs, by the validator of its format.
// Caller: headers. Throws INVALID_MODEL for a file that no engine may see.

import type { ByteReader } from "../format/cursor.ts";
import { readGguf } from "../gguf.ts";
import type { ModelFormat } from "../model.ts";
import { readOnnx } from "../onnx.ts";
import { readSafetensors } from "../safetensors.ts";
import { readConfigFacts } from "./config_facts.ts";
import type { FileFacts } from "./header_cache.ts";

export interface ReadHeaderOptions {
  /** "config": JSON that goes with weights. */
  kind: ModelFormat | "config";
  /** Bytes of the files that weights may name as their data, by the name they would use. */
  dataFiles: ReadonlyMap<string, number>;
}

export async function readHeader(
  reader: ByteReader,
  { kind, dataFiles }: ReadHeaderOptions,
): Promise<FileFacts> {
  switch (kind) {
    case "gguf": {
      const header = await readGguf(reader);
      // Only whether there is a template is asked for; a thousand of them would take much memory.
      return pick({
        ...header,
        chatTemplate: header.chatTemplate !== undefined,
        dataFiles: [],
      });
    }
    case "onnx": {
      const header = await readOnnx(reader, { externalFiles: dataFiles });
      const { description, license, quantization, parameterCount, externalFiles } = header;
      return pick({
        ...{ description, license, quantization, parameterCount, chatTemplate: false },
        // The graph's name is its exporter's, such as "main_graph".
        tensorCount: 0,
        dataFiles: externalFiles,
      });
    }
    case "safetensors": {
      const header = await readSafetensors(reader);
      return pick({ ...header, chatTemplate: false, dataFiles: [] });
    }
    case "config": {
      const bytes = await reader.read(0, Math.min(reader.size, maxConfigBytes));
      return pick({ ...readConfigFacts(bytes), parameterCount: 0, tensorCount: 0, dataFiles: [] });
    }
  }
}

/** Leaves out what a header has beside; undefined is left out too. */
function pick(facts: FileFacts): FileFacts {
  const { architecture, name, description, license, contextLength, quantization } = facts;
  const { chatTemplate, parameterCount, tensorCount, task, shape, split, dataFiles } = facts;
  return {
    ...(architecture === undefined ? {} : { architecture }),
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
    ...(license === undefined ? {} : { license }),
    ...(contextLength === undefined ? {} : { contextLength }),
    ...(quantization === undefined ? {} : { quantization }),
    ...(task === undefined ? {} : { task }),
    ...(shape === undefined ? {} : { shape }),
    ...(split === undefined ? {} : { split }),
    chatTemplate,
    parameterCount,
    tensorCount,
    dataFiles,
  };
}

/** Tokenizers with a chat template stay far below. */
const maxConfigBytes = 8 * 1024 * 1024;
