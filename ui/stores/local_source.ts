// What the page's own host takes from the server. Loaded with that host. Code is compared with its digest before
// it is handed on; a model's files are compared by the host, piece by piece, as it stores them.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import { type Grant, permissionsSchema } from "../../plugins/runtime/contract/grant.ts";
import { parseManifest } from "../../plugins/runtime/contract/manifest.ts";
import type { PluginConfig } from "../../plugins/runtime/host/host.ts";
import type { Api } from "../api/client.ts";
import type { LocalSource, RemoteFile, RemoteModel } from "../local/local_host.ts";
import type { Plugins } from "./plugins.ts";

export interface LocalSourceDeps {
  api: Api;
  plugins: Pick<Plugins, "get">;
  subtle?: Pick<SubtleCrypto, "digest">;
}

export function createLocalSource(deps: LocalSourceDeps): LocalSource {
  const { api, plugins, subtle = crypto.subtle } = deps;
  return {
    async plugin(pluginId) {
      const path = `/api/plugins/${encodeURIComponent(pluginId)}`;
      const [manifest, bundle, { granted }, { settings }, origin] = await Promise.all([
        api.get(`${path}/manifest`).then(parseManifest),
        api.fetch(`${path}/bundle`),
        api.get<{ granted: Grant }>(`${path}/grants`),
        api.get<PluginConfig>(`${path}/config`),
        plugins.get(pluginId)?.origin ??
          api.get<{ origin: "builtin" | "external" }>(path).then(({ origin }) => origin),
      ]);
      const bytes = await bytesOf(bundle);
      const told = bundle.headers.get("x-bkg-digest") ?? "";
      const digest = await digestOf(bytes, subtle);
      if (!digestShape.test(told) || told !== digest) {
        throw new AppError("INVALID_OUTPUT", `The bundle of "${pluginId}" came damaged`, {
          retryable: true,
          details: { expected: told, actual: digest },
        });
      }
      // Whoever is no builtin is a stranger, also when a future server names it otherwise.
      const kind = origin === "builtin" ? "builtin" : "external";
      return {
        manifest,
        origin: kind,
        code: new TextDecoder().decode(bytes),
        digest,
        granted: permissionsSchema.parse(granted),
        settings,
      };
    },
    asset: async (name) => bytesOf(await api.fetch(`/assets/${name}`)),
    models: async () => (await api.get<{ models: RemoteModel[] }>("/api/models")).models,
    model: (id) => api.get(modelPath(id)),
    async file(modelId, file, { offset, signal }) {
      const response = await api.fetch(
        `${modelPath(modelId)}/files/${encodeURIComponent(file.name)}`,
        { headers: rangeHeaders(file, offset), signal },
      );
      if (offset > 0 && !continuesAt(response, offset)) {
        await response.body?.cancel();
        throw new AppError("CONFLICT", `"${file.name}" changed on the server`, { retryable: true });
      }
      if (response.body === null) throw new AppError("UNAVAILABLE", "The server sent no bytes");
      return response.body;
    },
  };
}

const digestShape = /^sha256:[0-9a-f]{64}$/;

function modelPath(id: string): string {
  return `/api/models/${encodeURIComponent(id)}`;
}

/** `If-Range` with the file's digest: a file that was replaced comes whole, which is noticed. */
function rangeHeaders({ digest }: RemoteFile, offset: number): Record<string, string> {
  if (offset === 0) return {};
  return { range: `bytes=${offset}-`, "if-range": `"${digest}"` };
}

function continuesAt(response: Response, offset: number): boolean {
  return response.status === 206 &&
    response.headers.get("content-range")?.startsWith(`bytes ${offset}-`) === true;
}

async function bytesOf(response: Response): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    throw new AppError("UNAVAILABLE", "The connection to the server was lost", { cause });
  }
}

async function digestOf(
  bytes: Uint8Array<ArrayBuffer>,
  subtle: Pick<SubtleCrypto, "digest">,
): Promise<string> {
  const hash = new Uint8Array(await subtle.digest("SHA-256", bytes));
  return `sha256:${[...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
