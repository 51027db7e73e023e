// One test for each hostile file: it is refused, as a message that a person can act on and a terminal can show.

import assert from "node:assert/strict";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { ByteReader } from "../format/cursor.ts";
import { readerOf } from "./reader.ts";

export interface HostileFile<Limits> {
  file: Uint8Array;
  message: RegExp;
  limits?: Partial<Limits>;
}

export interface RefusalOptions<Limits> {
  /** The function under test, and what its messages start with. */
  name: string;
  format: string;
  read(reader: ByteReader, options: { limits?: Partial<Limits> }): Promise<unknown>;
}

export function testRefusals<Limits>(
  hostile: { readonly [name: string]: HostileFile<Limits> },
  { name, format, read }: RefusalOptions<Limits>,
): void {
  for (const [what, { file, message, limits }] of Object.entries(hostile)) {
    Deno.test(`${name} refuses: ${what}`, async () => {
      const reading = read(readerOf(file), limits === undefined ? {} : { limits });
      await assert.rejects(reading, (error) => {
        assert.ok(error instanceof AppError, String(error));
        assert.equal(error.code, "INVALID_MODEL");
        assert.match(error.message, message);
        assert.match(error.message, new RegExp(`^${format} .* at byte \\d+ .*\\(limit: .+\\)$`));
        assert.doesNotMatch(error.message, /[\p{C}\p{Zl}\p{Zp}]/u);
        assert.ok(error.message.length < 1000, `${error.message.length} characters`);
        return true;
      });
    });
  }
}
