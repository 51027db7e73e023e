// What the hub says of a repository: its commit, its files with sizes and digests, its licence. Caller: plan.ts.
// The hub's own client asks, through the guarded network; nothing it answers is believed before it is parsed.

import { z } from "zod";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { ModelTask } from "../model.ts";
import { fileNameProblem } from "../source.ts";
import { readWhole } from "./body.ts";
import type { PullNetwork, PullSession } from "./network.ts";
import { createPatience } from "./patience.ts";

export interface HubRepo {
  /** What every link is tied to. */
  commit: string;
  files: HubFile[];
  license: string | undefined;
  task: ModelTask | undefined;
}

export interface HubFile {
  path: string;
  /** Bytes. */
  size: number;
  /** `sha256:<hex>`; of large files alone. */
  digest: string | undefined;
  /** As git names the blob; undefined of large files, where it is the pointer's. */
  gitOid: string | undefined;
}

export interface ReadRepoOptions {
  repo: string;
  revision: string;
  session: PullSession;
  network: PullNetwork;
  signal: AbortSignal;
}

/** Throws NOT_FOUND with close names, FORBIDDEN with what to do, and what the network throws. */
export async function readHubRepo(options: ReadRepoOptions): Promise<HubRepo> {
  const { repo, revision, network } = options;
  // It takes 7 MB and 50 ms: only who pulls pays.
  const { listFiles, modelInfo } = await import("@huggingface/hub");
  const params = { hubUrl: network.endpoint, fetch: createHubFetch(options) };
  try {
    const additionalFields = ["sha", "cardData"] as const;
    const info = infoShape.parse(
      await modelInfo({ ...params, name: repo, revision, additionalFields: [...additionalFields] }),
    );
    const listed = listFiles({
      ...{ ...params, repo: { type: "model", name: repo }, revision: info.sha, recursive: true },
    });
    const files: HubFile[] = [];
    let count = 0;
    for await (const entry of listed) {
      if (++count > maxEntries) throw unreadable(`has more than ${maxEntries} files`);
      const file = readEntry(entry);
      if (file !== undefined) files.push(file);
    }
    const { license } = info.cardData ?? {};
    return {
      ...{ commit: info.sha, files, license: typeof license === "string" ? license : license?.[0] },
      task: info.task === undefined ? undefined : taskOfPipeline.get(info.task),
    };
  } catch (error) {
    throw await explain(error, options);
  }
}

/** The link of a file, tied to a commit. */
export function linkOf(
  network: PullNetwork,
  { repo, commit, path }: { repo: string; commit: string; path: string },
): string {
  const encoded = path.split("/").map(encodeURIComponent).join("/");
  return `${network.endpoint}/${repo}/resolve/${commit}/${encoded}`;
}

const maxEntries = 20_000;
const maxPages = 200;
const bytes = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const licenseName = z.string().max(200).regex(/^[^\p{C}\p{Zl}\p{Zp}]*$/u);
const infoShape = z.object({
  sha: z.string().regex(/^[0-9a-f]{40,64}$/),
  task: z.string().optional().catch(undefined),
  cardData: z.object({ license: z.union([licenseName, z.array(licenseName)]).optional() })
    .optional().catch(undefined),
});
const entryShape = z.object({
  type: z.string(),
  path: z.string(),
  size: bytes.optional(),
  oid: z.string().optional(),
  lfs: z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size: bytes }).optional(),
});

/** The hub's names of tasks. */
const taskOfPipeline = new Map<string, ModelTask>([
  ["text-generation", "chat"],
  ["image-text-to-text", "chat"],
  ["feature-extraction", "embedding"],
  ["sentence-similarity", "embedding"],
  ["text-ranking", "rerank"],
  ["image-classification", "vision"],
  ["image-feature-extraction", "vision"],
  ["object-detection", "vision"],
  ["zero-shot-image-classification", "vision"],
  ["automatic-speech-recognition", "speech"],
  ["text-to-speech", "speech"],
]);

/** Undefined for folders, and for names that no model of ours has. */
function readEntry(entry: unknown): HubFile | undefined {
  const { type, path, size, oid, lfs } = entryShape.parse(entry);
  if (type !== "file" || fileNameProblem(path) !== undefined) return undefined;
  if (lfs !== undefined) {
    return { path, size: lfs.size, digest: `sha256:${lfs.oid}`, gitOid: undefined };
  }
  if (size === undefined) throw unreadable("has a file without a size");
  const gitOid = oid !== undefined && /^[0-9a-f]{40}$/.test(oid) ? oid : undefined;
  return { path, size, digest: undefined, gitOid };
}

/** The `fetch` that the hub's client uses: patient, and with whole, bounded answers. */
function createHubFetch({ session, network, signal }: ReadRepoOptions): typeof fetch {
  const { limits, endpoint } = network;
  const { host } = new URL(endpoint);
  let pages = 0;
  return async (input) => {
    if (++pages > maxPages) throw unreadable(`answers in more than ${maxPages} pages`);
    const patience = createPatience({ limits, signal });
    while (true) {
      try {
        const asked = { headers: { accept: "application/json" }, signal };
        const { status, headers, body } = await session.request(String(input), asked);
        const whole = await readWhole(body, { limitBytes: limits.jsonBytes, host });
        const link = headers.get("link");
        return new Response(whole, { status, headers: link === null ? {} : { link } });
      } catch (error) {
        await patience.bear(error);
      }
    }
  };
}

async function explain(error: unknown, options: ReadRepoOptions): Promise<unknown> {
  if (error instanceof z.ZodError || error instanceof SyntaxError) {
    const [issue] = error instanceof z.ZodError ? error.issues : [];
    const where = issue === undefined ? "" : ` at "${issue.path.join(".")}"`;
    return unreadable(`answers what is no list of files${where}`);
  }
  if (!(error instanceof AppError)) return error;
  const { repo, revision, network } = options;
  const { status, reason } = (error.details ?? {}) as { status?: unknown; reason?: unknown };
  if (error.code === "NOT_FOUND" && reason === "RevisionNotFound") {
    return new AppError("NOT_FOUND", `"${repo}" has no revision "${revision}"`);
  }
  if (reason === "GatedRepo" || (status === 403 && reason !== undefined)) {
    const page = `${network.endpoint}/${repo}`;
    const how = network.hasToken
      ? `accept its terms at ${page} with the account that HF_TOKEN is of`
      : `accept its terms at ${page}, and set HF_TOKEN`;
    return new AppError("FORBIDDEN", `"${repo}" is gated: ${how}`);
  }
  // Without a token the hub does not tell a private repository from none.
  const isUnknown = error.code === "NOT_FOUND" || status === 401;
  if (!isUnknown) return error;
  const close = await findClose(options);
  const hints = [
    ...(close.length === 0 ? [] : [`did you mean ${close.map((name) => `"${name}"`).join(", ")}?`]),
    ...(network.hasToken ? [] : ["if it is private, set HF_TOKEN"]),
  ];
  const hint = hints.length === 0 ? "" : `: ${hints.join("; ")}`;
  return new AppError("NOT_FOUND", `The hub has no model "${repo}"${hint}`);
}

/** Names that a person may have meant; none when that cannot be found out. */
async function findClose(options: ReadRepoOptions): Promise<string[]> {
  const { repo, network } = options;
  const { listModels } = await import("@huggingface/hub");
  const [, name = ""] = repo.split("/");
  const found: string[] = [];
  try {
    const search = { query: name.replace(/-GGUF$/i, "") };
    const limit = 3;
    const hubFetch = createHubFetch({ ...options, network: impatient(network) });
    for await (
      const model of listModels({ search, limit, hubUrl: network.endpoint, fetch: hubFetch })
    ) {
      if (/^[\w.-]+\/[\w.-]{1,96}$/.test(model.name)) found.push(model.name);
    }
  } catch {
    // A hint is worth no second failure.
  }
  return found;
}

function impatient(network: PullNetwork): PullNetwork {
  return { ...network, limits: { ...network.limits, tries: 1 } };
}

function unreadable(why: string): AppError {
  return new AppError("UNAVAILABLE", `The hub ${why}`, { retryable: false });
}
