// Runs the engine within a test's own thread: its assets as the build made them, models as folders of this machine.

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { preludeSource } from "../../boot/prelude.ts";
import { assetPath } from "../../contract/engine_assets.ts";
import type { ModelSummary } from "../../contract/model_summary.ts";
import type { EngineHost, ModelFile, OpenModel } from "../engine.ts";

export interface TestEngineHost extends EngineHost {
  readonly threadsLent: number;
}

/** `dist`: the folder of the build. */
export function createTestHost(dist: string): TestEngineHost {
  let threadsLent = 0;
  return {
    get threadsLent() {
      return threadsLent;
    },
    async asset(name) {
      const bytes = new Uint8Array(
        await readFile(join(dist, assetPath(name, { canSuspend: true }))),
      );
      // The boot's Worker puts it in front of every script that is made there.
      const parts = /\.m?js$/.test(name) ? [preludeSource, "\n", bytes] : [bytes];
      return await new Blob(parts).arrayBuffer();
    },
    takeThreads(threads) {
      threadsLent += threads;
      return Promise.resolve({ threads, release: () => void (threadsLent -= threads) });
    },
  };
}

const root = fileURLToPath(new URL("../../../..", import.meta.url));

/** The folder of ../shared/models, as a plugin is given it; undefined, with one line printed, where it is absent. */
export function sharedModel(
  name: string,
  facts: Partial<ModelSummary> = {},
): OpenModel | undefined {
  const folder = join(root, "../shared/models", name);
  if (existsSync(folder)) return openModelFolder(folder, facts);
  console.log(`skipped: the test model ${name} is not here`);
  return undefined;
}

export function openModelFolder(folder: string, facts: Partial<ModelSummary> = {}): OpenModel {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(join(folder, name)).isFile());
  const files = Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name))]));
  return openModelBytes(basename(folder), files, facts);
}

export function openModelBytes(
  id: string,
  files: Readonly<Record<string, Uint8Array | object>>,
  facts: Partial<ModelSummary> = {},
): OpenModel {
  const opened = Object.entries(files).map(([name, content]): ModelFile => {
    const bytes = content instanceof Uint8Array
      ? new Uint8Array(content)
      : new TextEncoder().encode(JSON.stringify(content));
    const slice = (start: number, end: number) => {
      const part = bytes.slice(start, end);
      return { size: part.length, arrayBuffer: () => Promise.resolve(part.buffer) };
    };
    return { name, size: bytes.length, slice };
  });
  const size = opened.reduce((sum, file) => sum + file.size, 0);
  return { id, size, format: "onnx", ...facts, files: opened, close: () => {} };
}
