// The files of catalogue models for the HTTP layer: their digests, and their bytes in pieces. No path goes in or
// out: a file is asked for by its model's id and its own exact name.

import { quote } from "../../models/format/text.ts";
import type { ModelFile, ModelLibrary, ModelRecord } from "../../models/model.ts";
import type { FileDigest } from "../../models/store/digests.ts";
import { checkUnchanged, openUnchanged } from "../../models/store/open_unchanged.ts";
import { AppError } from "../../plugins/runtime/contract/error.ts";

export interface ModelFiles {
  /** The model, and its files in order. Throws NOT_FOUND or INVALID_MODEL. */
  describe(modelId: string): Promise<{ model: ModelRecord; files: ModelFileFacts[] }>;
  /** Throws NOT_FOUND for a model that is none and for a name that is none of its files. */
  find(modelId: string, name: string): Promise<FoundModelFile>;
}

export interface ModelFileFacts {
  name: string;
  /** Bytes. */
  size: number;
  /** `sha256:<hex>`. */
  digest: string;
}

export interface FoundModelFile extends ModelFileFacts {
  /**
   * Opens the file for the bytes from `start` to before `end`; throws UNAVAILABLE when it is not any more what the
   * digest says. Until the reader is disposed of, the model is not removed.
   */
  open(range: { start: number; end: number }): Promise<ByteReader>;
}

export interface ByteReader extends Disposable {
  /** The next bytes; undefined at the end. Throws UNAVAILABLE when the file changed since it was opened. */
  read(): Promise<Uint8Array<ArrayBuffer> | undefined>;
}

export interface ModelFilesDeps {
  library: Pick<ModelLibrary, "get" | "open"> & { digest(file: ModelFile): Promise<FileDigest> };
}

export function createModelFiles({ library }: ModelFilesDeps): ModelFiles {
  return {
    async describe(modelId) {
      const model = await library.get(modelId);
      const files = await Promise.all(model.files.map(async (file) => {
        const { digest, size } = await library.digest(file);
        return { name: file.name, size, digest };
      }));
      // What was read only now may be what was trusted.
      return { model: model.changedSinceTrusted ? await library.get(model.id) : model, files };
    },
    async find(modelId, name) {
      const model = await library.get(modelId);
      const file = model.files.find((file) => file.name === name);
      if (file === undefined) {
        const names = model.files.slice(0, 3).map(({ name }) => quote(name)).join(", ");
        throw new AppError("NOT_FOUND", `Model ${quote(model.id)} has no such file, but ${names}`);
      }
      const { digest, size, fingerprint } = await library.digest(file);
      return {
        name,
        size,
        digest,
        async open(range) {
          const { release } = await library.open(model.id);
          try {
            const open = await openUnchanged(file, fingerprint);
            return createByteReader(open, { ...range, name, fingerprint, release });
          } catch (error) {
            release();
            throw error;
          }
        },
      };
    },
  };
}

function createByteReader(
  file: Deno.FsFile,
  { start, end, name, fingerprint, release }: {
    start: number;
    end: number;
    name: string;
    fingerprint: string;
    release: () => void;
  },
): ByteReader {
  let position = start;
  let isOpen = true;
  const dispose = () => {
    if (!isOpen) return;
    isOpen = false;
    file.close();
    release();
  };
  return {
    async read() {
      if (position >= end) return undefined;
      if (position === start) await file.seek(start, Deno.SeekMode.Start);
      const piece = new Uint8Array(Math.min(pieceBytes, end - position));
      const count = await file.read(piece);
      // Bytes go out only of a file that is, after they were read, what its digest says.
      await checkUnchanged(file, { name, fingerprint });
      if (count === null) return undefined;
      position += count;
      return piece.subarray(0, count);
    },
    [Symbol.dispose]: dispose,
  };
}

const pieceBytes = 512 * 1024;
