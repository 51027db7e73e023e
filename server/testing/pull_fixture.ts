// What the tests of pulls share: a model of any size, small bounds, and a pull from beginning to end.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import { startHub } from "./hub_server.ts";
import type { Hub, HubOptions } from "./hub_server.ts";
import { encodeHeader, joinBytes, padding, stringValue } from "../../models/gguf/encode.ts";
import { parseSource } from "../../models/source.ts";
import {
  type DownloadedFile,
  downloadFiles,
  type DownloadProgress,
} from "../../models/pull/download.ts";
import type { PullLimits } from "../../models/pull/limits.ts";
import { createPullNetwork, type PullNetworkOptions } from "../../models/pull/network.ts";
import { planPull } from "../../models/pull/plan.ts";

export const repo = "owner/name";
export const fileName = "model-q8_0.gguf";

/** A valid GGUF of about `bytes`, its weights random. */
export function makeModel(bytes: number): Uint8Array<ArrayBuffer> {
  const elements = Math.max(8, Math.floor(bytes / 4 / 8) * 8);
  const header = encodeHeader({
    metadata: [["general.architecture", stringValue("llama")]],
    tensors: [{ name: "a", dims: [elements], type: 0, offset: 0 }],
  });
  const data = new Uint8Array(elements * 4);
  for (let start = 0; start < data.length; start += 65_536) {
    crypto.getRandomValues(data.subarray(start, start + 65_536));
  }
  return joinBytes([header, padding(header.length, 32), data]);
}

/** Small files in many ranges, and no patience. */
export const testLimits: Partial<PullLimits> = {
  ...{ segmentBytes: 256 * 1024, smallFileBytes: 64 * 1024, headersTimeoutMs: 2000 },
  ...{ silenceMs: 300, silenceBytes: 4096, tries: 3, firstBackoffMs: 5, maxBackoffMs: 20 },
  ...{ maxRetryAfterMs: 200, checkpointMs: 20, reservedDiskBytes: 0 },
};

export interface PullScene extends AsyncDisposable {
  hub: Hub;
  model: Uint8Array<ArrayBuffer>;
  folder: string;
  /** All that was told. */
  progress: DownloadProgress[];
  pull(options?: PullSceneOptions): Promise<DownloadedFile[]>;
  /** What the folder holds. */
  names(): string[];
}

export interface PullSceneOptions {
  source?: string;
  network?: Partial<PullNetworkOptions>;
  limits?: Partial<PullLimits>;
  signal?: AbortSignal;
  freeBytes?: number;
  told?: (progress: DownloadProgress) => void;
}

/** A hub with one model of `bytes`, and an empty folder. */
export async function startScene(
  bytes = 2 * 1024 ** 2,
  options: Partial<HubOptions> = {},
): Promise<PullScene> {
  const model = makeModel(bytes);
  const hub = await startHub({ files: { [repo]: { [fileName]: model } }, ...options });
  const folder = await Deno.makeTempDir({ prefix: "bkg-pull-" });
  const progress: DownloadProgress[] = [];
  return {
    ...{ hub, model, folder, progress },
    async pull({ source = repo, network = {}, limits = {}, signal, freeBytes = 1e12, told } = {}) {
      const net = createPullNetwork({
        ...{ offline: false, endpoint: hub.url, allowedPrivateHosts: [] },
        ...{ limits: { ...testLimits, ...limits }, ...network },
      });
      const running = signal ?? new AbortController().signal;
      const plan = await planPull(parseSource(source, { endpoint: hub.url }), net, {
        signal: running,
      });
      const deps = { ...net, folder, freeBytes: () => Promise.resolve(freeBytes) };
      return await downloadFiles(plan, deps, {
        signal: running,
        progress(now) {
          progress.push(now);
          told?.(now);
        },
      });
    },
    names: () => [...Deno.readDirSync(folder)].map(({ name }) => name).sort(),
    async [Symbol.asyncDispose]() {
      await hub[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** For assert.rejects: an AppError with this code, and a message like this. */
export function refusal(code: string, message = /./): (error: unknown) => boolean {
  return (error) => {
    if (error instanceof AppError && error.code === code && message.test(error.message)) {
      return true;
    }
    throw new Error(`not ${code} ${message}`, { cause: error });
  };
}
