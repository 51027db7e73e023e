// A hub of models on the loopback, with the hub's protocol: its API and links on one port, the bytes on another, as
// the real one has its files at another origin. Tests set faults on it; see hub_server_faults.ts.

import { createHash } from "node:crypto";
import { type HubFault, HubFaults } from "./hub_server_faults.ts";
import { answerBytes, type ServedFile } from "./hub_server_files.ts";

export interface HubOptions {
  /** By `owner/name`, then by path: bytes, or the path of a file on the disk. */
  files: Record<string, Record<string, Uint8Array<ArrayBuffer> | string>>;
  /** By `owner/name`, or for all. */
  license?: string | Record<string, string>;
  /** The hub's `pipeline_tag`. */
  pipelineTag?: string;
  /** Repositories that want `token`. */
  gated?: readonly string[];
  token?: string;
  faults?: readonly HubFault[];
  /** Of each body. */
  bytesPerSecond?: number;
  /** Entries of one page of the list of files; default 1000. */
  pageSize?: number;
  /** How clients reach the files' port; default "127.0.0.1". */
  cdnHost?: string;
}

export interface HubRequest {
  at: "hub" | "cdn";
  method: string;
  /** With the query. */
  path: string;
  headers: Headers;
  /** Of the body, as far as it was handed to the network. */
  sentBytes: number;
}

export interface Hub extends AsyncDisposable {
  /** What HF_ENDPOINT is set to. */
  readonly url: string;
  readonly cdnUrl: string;
  readonly commit: string;
  /** In order; cleared by whoever counts. */
  readonly requests: HubRequest[];
  setFault(fault: HubFault): void;
  clearFaults(): void;
  /** `sha256:<hex>` */
  digest(repo: string, path: string): string;
}

export async function startHub(options: HubOptions): Promise<Hub> {
  const { pageSize = 1000, cdnHost = "127.0.0.1", gated = [] } = options;
  const faults = new HubFaults();
  for (const fault of options.faults ?? []) faults.set(fault);
  const repos = await readRepos(options.files);
  const requests: HubRequest[] = [];
  const commit = createHash("sha1").update(JSON.stringify(digestsOf(repos))).digest("hex");

  function answerHub(request: Request): Response {
    const url = new URL(request.url);
    const path = decodeURIComponent(url.pathname);
    note("hub", request);
    const refused = faults.take("status", { path, fits: ({ at }) => at !== "cdn" });
    if (refused !== undefined) return refuse(refused.status, "", refused.headers);
    if (path === "/api/models") return findRepos(url.searchParams.get("search") ?? "");
    const [, api, repo = "", kind, rest = ""] =
      /^(\/api\/models)?\/([^/]+\/[^/]+)(?:\/(revision|tree|resolve)\/(.*))?$/.exec(path) ?? [];
    const files = repos.get(repo);
    if (files === undefined) return refuse(404, "RepoNotFound");
    if (gated.includes(repo)) {
      const authorization = request.headers.get("authorization");
      if (authorization === null) return refuse(401, "GatedRepo");
      if (authorization !== `Bearer ${options.token}`) return refuse(403, "GatedRepo");
    }
    if (kind === "resolve" && api === undefined) return answerLink(request, { repo, rest });
    if (api === undefined) return refuse(404, "EntryNotFound");
    const junk = faults.take("json", { path });
    if (junk !== undefined) {
      const contentType = junk.contentType ?? "application/json";
      return new Response(junk.body, { headers: { "content-type": contentType } });
    }
    if (kind !== undefined && kind !== "resolve" && !isRevision(rest)) {
      return refuse(404, "RevisionNotFound");
    }
    if (kind === "tree") return listFiles(files, url);
    const license = typeof options.license === "string" ? options.license : options.license?.[repo];
    return Response.json({
      ...{
        _id: repo,
        id: repo,
        sha: commit,
        private: false,
        gated: gated.includes(repo) && "auto",
      },
      ...{ downloads: 1, likes: 1, lastModified: "2025-01-01T00:00:00.000Z" },
      ...(options.pipelineTag === undefined ? {} : { pipeline_tag: options.pipelineTag }),
      cardData: license === undefined ? {} : { license },
      siblings: [...files.keys()].map((rfilename) => ({ rfilename })),
    });
  }

  function isRevision(revision: string): boolean {
    return ["main", "HEAD", "v1", "refs/pr/1", commit].includes(revision);
  }

  function findRepos(search: string): Response {
    const found = [...repos.keys()].filter((repo) =>
      repo.toLowerCase().includes(search.toLowerCase())
    );
    return Response.json(found.map((id) => ({
      ...{ _id: id, id, private: false, gated: false, downloads: 1, likes: 1 },
      lastModified: "2025-01-01T00:00:00.000Z",
    })));
  }

  function listFiles(files: ReadonlyMap<string, ServedFile>, url: URL): Response {
    const start = Number(url.searchParams.get("cursor") ?? 0);
    const entries = [...files].slice(start, start + pageSize).map(([path, file]) => {
      const size = faults.take("size", { path })?.size ?? file.size;
      if (!file.isLarge) return { type: "file", oid: file.gitOid, size, path };
      const oid = faults.take("oid", { path })?.oid ?? file.sha256;
      return { type: "file", oid: file.gitOid, size, path, lfs: { oid, size, pointerSize: 134 } };
    });
    const headers = new Headers();
    if (start + pageSize < files.size) {
      const next = new URL(url);
      next.searchParams.set("cursor", String(start + pageSize));
      headers.set("link", `<${next.href}>; rel="next"`);
    }
    return Response.json(entries, { headers });
  }

  function answerLink(
    request: Request,
    { repo, rest }: { repo: string; rest: string },
  ): Response {
    const revision = ["main", "HEAD", "v1", "refs/pr/1", commit].find((name) =>
      rest.startsWith(`${name}/`)
    );
    if (revision === undefined) return refuse(404, "RevisionNotFound");
    const path = rest.slice(revision.length + 1);
    const file = repos.get(repo)?.get(path);
    if (file === undefined) return refuse(404, "EntryNotFound");
    const elsewhere = faults.take("redirect", { path });
    const headers = {
      "x-repo-commit": commit,
      etag: `"${file.isLarge ? file.sha256 : file.gitOid}"`,
    };
    if (!file.isLarge && elsewhere === undefined) {
      return answerBytes(request, { file, path, faults, headers, count: counterOf(request) });
    }
    const location = elsewhere?.to ??
      `${cdnUrl}/${encodeURI(repo)}/${encodeURI(path)}?signature=secret-${crypto.randomUUID()}`;
    return new Response(null, {
      status: 302,
      headers: {
        ...{ ...headers, location, "x-linked-size": String(file.size) },
        ...{ "x-linked-etag": headers.etag, "accept-ranges": "bytes" },
      },
    });
  }

  function answerCdn(request: Request): Response {
    const url = new URL(request.url);
    const [owner = "", name = "", ...rest] = decodeURIComponent(url.pathname).slice(1).split("/");
    const path = rest.join("/");
    note("cdn", request);
    const refused = faults.take("status", { path, fits: ({ at }) => at === "cdn" });
    if (refused !== undefined) return refuse(refused.status, "", refused.headers);
    const file = repos.get(`${owner}/${name}`)?.get(path);
    if (file === undefined) return refuse(404, "");
    const uses = (linkUses.get(url.search) ?? 0) + 1;
    linkUses.set(url.search, uses);
    if (uses > (faults.take("expired", { path })?.uses ?? Infinity)) return refuse(403, "");
    const headers = { etag: `"${file.sha256}"`, "last-modified": "Wed, 01 Jan 2025 00:00:00 GMT" };
    const { bytesPerSecond } = options;
    const count = counterOf(request);
    return answerBytes(request, {
      ...{ file, path, faults, headers, count },
      ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
    });
  }

  /** By signature. */
  const linkUses = new Map<string, number>();
  const noted = new WeakMap<Request, HubRequest>();
  function note(at: HubRequest["at"], request: Request): void {
    const { pathname, search } = new URL(request.url);
    const { method, headers } = request;
    const entry = { at, method, path: pathname + search, headers, sentBytes: 0 };
    noted.set(request, entry);
    requests.push(entry);
  }
  function counterOf(request: Request): (bytes: number) => void {
    const entry = noted.get(request);
    return (bytes) => {
      if (entry !== undefined) entry.sentBytes += bytes;
    };
  }

  const listen = { hostname: "127.0.0.1", port: 0, onListen() {} };
  // A client that goes away in the middle of a body is no fault of the server's.
  const onError = () => new Response(null, { status: 500 });
  const stopped = new AbortController();
  const { signal } = stopped;
  const hub = Deno.serve({ ...listen, onError, signal }, answerHub);
  const cdn = Deno.serve({ ...listen, onError, signal }, answerCdn);
  const cdnUrl = `http://${cdnHost}:${cdn.addr.port}`;
  return {
    url: `http://127.0.0.1:${hub.addr.port}`,
    ...{ cdnUrl, commit, requests },
    setFault: (fault) => faults.set(fault),
    clearFaults: () => faults.clear(),
    digest: (repo, path) => `sha256:${repos.get(repo)?.get(path)?.sha256}`,
    async [Symbol.asyncDispose]() {
      stopped.abort();
      await Promise.all([hub.finished, cdn.finished]);
    },
  };
}

async function readRepos(
  files: HubOptions["files"],
): Promise<Map<string, Map<string, ServedFile>>> {
  const repos = new Map<string, Map<string, ServedFile>>();
  for (const [repo, contents] of Object.entries(files)) {
    const served = new Map<string, ServedFile>();
    for (const [path, content] of Object.entries(contents)) {
      served.set(path, await readServed(path, content));
    }
    repos.set(repo, served);
  }
  return repos;
}

async function readServed(
  path: string,
  content: Uint8Array<ArrayBuffer> | string,
): Promise<ServedFile> {
  const sha256 = createHash("sha256");
  const size = typeof content === "string" ? (await Deno.stat(content)).size : content.length;
  const gitOid = createHash("sha1").update(`blob ${size}\0`);
  const chunks = typeof content === "string" ? (await Deno.open(content)).readable : [content];
  for await (const chunk of chunks) {
    sha256.update(chunk);
    gitOid.update(chunk);
  }
  const isLarge = /\.(?:gguf|onnx|onnx_data.*|safetensors|bin)$/.test(path);
  return { content, size, sha256: sha256.digest("hex"), gitOid: gitOid.digest("hex"), isLarge };
}

function digestsOf(repos: ReadonlyMap<string, ReadonlyMap<string, ServedFile>>): unknown {
  return [...repos].map(([repo, files]) => [
    repo,
    [...files].map(([path, { sha256 }]) => [path, sha256]),
  ]);
}

function refuse(status: number, code: string, headers: Record<string, string> = {}): Response {
  const marks = code === "" ? {} : { "x-error-code": code, "x-error-message": `No: ${code}` };
  return Response.json({ error: `No: ${code}` }, { status, headers: { ...marks, ...headers } });
}
