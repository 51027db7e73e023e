// bkg's HTTP client: the CLI does nothing that a person with curl could not. The local operator's key
// is sent to this machine (or the configured public URL) alone; elsewhere BKG_TOKEN is asked for.

import {
  AppError,
  type ErrorCode,
  errorStatus,
  isErrorCode,
} from "../../plugins/runtime/contract/error.ts";
import { toPlainText } from "../../plugins/runtime/contract/plain_text.ts";
import { readOperatorKey } from "../auth/operator_key.ts";
import { type Env, isLoopback, readConfig, readSecret } from "../config.ts";
import type { Arguments, CliIo } from "./command.ts";
import { programName } from "./program_name.ts";

export interface Client {
  readonly url: string;
  get<T>(path: string): Promise<T>;
  send<T>(method: "POST" | "PUT" | "PATCH" | "DELETE", path: string, body?: unknown): Promise<T>;
  /** Writes the answer's body into a new file, whole or not at all, readable by its owner alone. */
  download(path: string, file: string): Promise<void>;
  /** The events of a resource that tells its changes, as they come: each one's name, and its data parsed. */
  follow(
    path: string,
    options?: { signal?: AbortSignal },
  ): AsyncGenerator<{ name: string; data: unknown }>;
  /** The events of a call, as they come; an `error` event is thrown. */
  events(
    path: string,
    body: unknown,
    options?: { signal?: AbortSignal },
  ): AsyncGenerator<CallEvent>;
}

export type CallEvent = { kind: "item"; value: unknown } | { kind: "result"; value: unknown };

export async function connect(args: Arguments, io: CliIo): Promise<Client> {
  const dataDir = args.text("data-dir");
  const config = readConfig(io.env, dataDir === undefined ? {} : { dataDir });
  const host = loopbackFor(config.host);
  // A server with a certificate answers plain HTTP too, to its own machine alone.
  const scheme = config.tlsCert === undefined || isLoopback(host) ? "http" : "https";
  const local = `${scheme}://${host}:${config.port}`;
  const url = (args.text("url") ?? (io.env["BKG_URL"] || undefined) ?? local).replace(/\/+$/, "");
  if (!URL.canParse(url)) throw new AppError("INVALID_INPUT", `"${url}" is no URL`);
  const trusted = isLoopback(new URL(url).hostname) || url === config.publicUrl || url === local;
  const token = await tokenFor(io.env, { url, trusted, dataDir: config.dataDir });
  const authority = (io.env["BKG_CA_FILE"] || undefined) ??
    (trusted ? config.tlsCert : undefined);
  return createClient(url, token, url.startsWith("https:") ? trusting(authority, io) : io.fetch);
}

export function createClient(url: string, token: string, doFetch: typeof fetch = fetch): Client {
  const request = async (path: string, init: RequestInit): Promise<Response> => {
    let response: Response;
    try {
      response = await doFetch(url + path, {
        ...init,
        // A redirect would carry the key to wherever it points.
        redirect: "error",
        headers: { authorization: `Bearer ${token}`, ...init.headers },
      });
    } catch (cause) {
      if (init.signal?.aborted) throw cause;
      const refused = certificateProblem(cause);
      if (refused !== undefined) {
        throw new AppError(
          "FORBIDDEN",
          `The certificate of ${url} is not accepted: ${refused}; the PEM file of its authority, or ` +
            "its own, may be named in BKG_CA_FILE, and a name that it is valid for in BKG_URL",
          { cause },
        );
      }
      throw new AppError(
        "UNAVAILABLE",
        `Nothing answers at ${url}; start it with "${programName()} serve"`,
        {
          cause,
          details: { unreachable: true },
        },
      );
    }
    if (!response.ok) throw await problemOf(response);
    return response;
  };
  const json = { "content-type": "application/json" };
  return {
    url,
    get: async (path) => (await request(path, {})).json(),
    send: async (method, path, body) => {
      const init = body === undefined ? {} : { headers: json, body: JSON.stringify(body) };
      return (await request(path, { method, ...init })).json();
    },
    async download(path, file) {
      const { body } = await request(path, {});
      const draft = `${file}.partial`;
      try {
        await Deno.writeFile(draft, body!, { mode: 0o600 });
        await Deno.rename(draft, file);
      } catch (error) {
        await Deno.remove(draft).catch(() => {});
        throw error;
      }
    },
    async *follow(path, { signal } = {}) {
      const response = await request(path, {
        headers: { accept: "text/event-stream" },
        signal: signal ?? null,
      });
      for await (const { name, data } of serverEvents(response.body)) {
        const value: unknown = JSON.parse(data);
        if (name === "error") throw problemError(value);
        yield { name, data: value };
      }
    },
    async *events(path, body, { signal } = {}) {
      const response = await request(path, {
        method: "POST",
        headers: { ...json, accept: "text/event-stream" },
        body: JSON.stringify(body),
        signal: signal ?? null,
      });
      let ended = false;
      for await (const { name, data } of serverEvents(response.body)) {
        const value: unknown = JSON.parse(data);
        if (name === "error") throw problemError(value);
        ended = name === "result";
        yield { kind: ended ? "result" : "item", value };
      }
      if (!ended) throw new AppError("CELL_LOST", "The stream ended before its result");
    },
  };
}

/** Parses `text/event-stream` (WHATWG HTML 9.2), without `id` and `retry`. */
export async function* serverEvents(
  body: ReadableStream<Uint8Array> | null,
): AsyncGenerator<{ name: string; data: string }> {
  if (body === null) return;
  let rest = "";
  let name = "";
  let data: string[] = [];
  for await (const text of body.pipeThrough(new TextDecoderStream() as Decoder)) {
    rest += text;
    const lines = rest.split(/\r\n|\n|\r(?=.)/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        if (data.length > 0) yield { name: name || "message", data: data.join("\n") };
        name = "";
        data = [];
      } else if (line.startsWith("event:")) name = line.slice(6).trim();
      else if (line.startsWith("data:")) data.push(line.slice(line[5] === " " ? 6 : 5));
    }
  }
}

/** lib.dom types the two sides with different chunk types. */
type Decoder = TransformStream<Uint8Array, string>;

/** `io.fetch`, which also accepts what that file's authorities signed. */
function trusting(caFile: string | undefined, io: CliIo): typeof fetch {
  if (caFile === undefined) return io.fetch;
  let pem: string;
  try {
    pem = Deno.readTextFileSync(caFile);
  } catch (cause) {
    throw new AppError("INVALID_INPUT", `"${caFile}" cannot be read: it is to hold authorities`, {
      cause,
    });
  }
  const client = Deno.createHttpClient({ caCerts: [pem] });
  return (input: RequestInfo | URL, init?: RequestInit) => io.fetch(input, { ...init, client });
}

/** Why TLS failed, in rustls' words; undefined when it was not a certificate. */
function certificateProblem(error: unknown): string | undefined {
  for (let each = error; each instanceof Error; each = each.cause) {
    const reason = /invalid peer certificate: (.+)$/s.exec(each.message)?.[1];
    if (reason === undefined) continue;
    if (reason.includes("CaUsedAsEndEntity")) return "it is an authority's own (CA:TRUE)";
    return toPlainText(reason, 200);
  }
  return undefined;
}

async function tokenFor(
  env: Env,
  { url, trusted, dataDir }: { url: string; trusted: boolean; dataDir: string },
): Promise<string> {
  const given = await readSecret(env, "BKG_TOKEN");
  if (given !== undefined) return given;
  if (!trusted) {
    throw new AppError(
      "UNAUTHENTICATED",
      `Set BKG_TOKEN or BKG_TOKEN_FILE for ${url}; the local operator's key stays on this machine`,
    );
  }
  const token = await readOperatorKey(dataDir);
  if (token !== undefined) return token;
  throw new AppError(
    "UNAVAILABLE",
    `There is no key in "${dataDir}" yet; "${programName()} serve" makes it at its first start`,
    { details: { unreachable: true } },
  );
}

function loopbackFor(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::" || host === "[::]") return "[::1]";
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}

async function problemOf(response: Response): Promise<AppError> {
  const text = await response.text();
  try {
    const value: unknown = JSON.parse(text);
    return openAiError(value, response.status) ?? problemError(value);
  } catch (cause) {
    return new AppError("INTERNAL", `The server answered ${response.status}`, { cause });
  }
}

/** Of /v1, whose errors have OpenAI's shape and codes of its own; undefined for another. */
function openAiError(value: unknown, status: number): AppError | undefined {
  const { error } = value as { error?: { message?: unknown } };
  if (typeof error?.message !== "string") return undefined;
  const [code] = Object.entries(errorStatus).find(([, known]) => known === status) ?? [];
  return new AppError(code === undefined ? "INTERNAL" : code as ErrorCode, error.message);
}

function problemError(value: unknown): AppError {
  const { code, detail, details } = value as Record<string, unknown>;
  return new AppError(isErrorCode(code) ? code : "INTERNAL", String(detail), { details });
}
