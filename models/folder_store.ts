// Finds models in folders of this machine (Deno adapter of ModelStore): called by compose and the CLI.
// Headers are validated once for each state of a file; a file that changes is validated again.

import { closeNames } from "../plugins/runtime/contract/close_names.ts";
import { AppError } from "../plugins/runtime/contract/error.ts";
import { describeStat, type FoundFile, modelEnding, walkFolder } from "./folder_walk.ts";
import { type GgufHeader, parseSplitName, readGguf } from "./gguf.ts";
import { escapeUnprintable, quote } from "./gguf/refuse.ts";
import type { ModelProblem, ModelRecord, ModelStore } from "./model.ts";

export interface FolderStoreOptions {
  /** Searched in this order; on a duplicate id the first wins. Missing folders are no error. */
  folders: readonly string[];
  /** Told once of each file that is refused. */
  log?: { warn(message: string, fields?: Record<string, unknown>): void };
  now?: () => number;
}

export function createFolderStore(options: FolderStoreOptions): ModelStore {
  const { folders, log, now = Date.now } = options;
  const roots = new Map<string, string>();
  let verdicts = new Map<string, Verdict>();
  let index: Index = { entries: new Map(), problems: [] };
  const warned = new Set<string>();

  /** Canonical once: what a root points to later does not count. */
  const findRoot = async (folder: string, problems: ModelProblem[]) => {
    const known = roots.get(folder);
    if (known !== undefined) return known;
    try {
      const root = await Deno.realPath(folder);
      roots.set(folder, root);
      return root;
    } catch (cause) {
      if (cause instanceof Deno.errors.NotFound) return undefined;
      const path = escapeUnprintable(folder);
      const error = new AppError("INVALID_MODEL", `"${path}" cannot be searched`, { cause });
      problems.push({ path, error });
      return undefined;
    }
  };

  const validate = async (files: readonly FoundFile[]): Promise<Verdict[]> => {
    const found: Verdict[] = [];
    for (const file of files) {
      const known = verdicts.get(file.path);
      found.push(known?.fingerprint === file.fingerprint ? known : await readVerdict(file, now));
    }
    return found;
  };

  const scan = async (): Promise<Index> => {
    const next: Index = { entries: new Map(), problems: [] };
    const nextVerdicts = new Map<string, Verdict>();
    const seen = new Set<string>();
    for (const folder of folders) {
      const root = await findRoot(folder, next.problems);
      if (root === undefined) continue;
      const walk = await walkFolder(root);
      // One folder may lie inside another: the same path is the same file.
      const files = walk.files.filter(({ path }) => !seen.has(path));
      for (const { path } of files) seen.add(path);
      next.problems.push(...walk.problems.filter(({ path }) => !seen.has(path)));
      for (const { path } of walk.problems) seen.add(path);

      for (const group of groupParts(files)) {
        const found = await validate(group.files);
        group.files.forEach((file, at) => {
          const verdict = found[at];
          if (verdict?.keep) nextVerdicts.set(file.path, verdict);
        });
        addGroup(next, group, found);
      }
    }
    verdicts = nextVerdicts;
    index = next;
    for (const { path, error } of next.problems) {
      const line = `${path} ${error.message}`;
      if (warned.size < maxWarned && !warned.has(line)) {
        warned.add(line);
        log?.warn("A model file was refused", { path, reason: error.message });
      }
    }
    return next;
  };
  const refresh = coalesce(scan);

  /** Whether the files of an entry are what they were when it was indexed. */
  const isCurrent = async ({ files }: Entry): Promise<boolean> => {
    if (files.some(({ path }) => !verdicts.has(path))) return false;
    for (const file of files) {
      const stat = await Deno.lstat(file.path).catch(() => undefined);
      if (stat === undefined || !stat.isFile) return false;
      if (describeStat(stat).fingerprint !== file.fingerprint) return false;
    }
    return true;
  };

  return {
    async list() {
      const { entries } = await refresh();
      return [...entries.values()]
        .flatMap(({ record }) => record === undefined ? [] : [structuredClone(record)])
        .sort((a, b) => (a.id < b.id ? -1 : 1));
    },
    async get(id) {
      let entry = index.entries.get(id);
      if (entry?.record === undefined || !await isCurrent(entry)) {
        entry = (await refresh()).entries.get(id);
      }
      if (entry?.error !== undefined) {
        const { message, details } = entry.error;
        throw new AppError("INVALID_MODEL", `Model ${quote(id)} was refused: ${message}`, {
          details,
          cause: entry.error,
        });
      }
      if (entry?.record !== undefined) return structuredClone(entry.record);
      const close = closeNames(id, listIds(index));
      const hint = close.length === 0 ? "" : `; close: ${close.map(quote).join(", ")}`;
      throw new AppError("NOT_FOUND", `There is no model ${quote(id)} on this host${hint}`, {
        details: { close },
      });
    },
    async problems() {
      return [...(await refresh()).problems];
    },
  };
}

/** What reading one state of a file found. */
interface Verdict {
  fingerprint: string;
  header?: GgufHeader;
  error?: AppError;
  /** False when the next scan must read the file again: it could not be read, or was just written. */
  keep: boolean;
}

/** A claimed id: it has a record, or the error why not. */
interface Entry {
  files: readonly FoundFile[];
  record?: ModelRecord;
  error?: AppError;
}

interface Index {
  entries: Map<string, Entry>;
  problems: ModelProblem[];
}

/** The files of one model: one, or the parts of a split one by number. */
interface Group {
  id: string;
  partCount: number | undefined;
  files: FoundFile[];
  /** Of each file, from its name; 1 without a split. */
  numbers: number[];
}

async function readVerdict(found: FoundFile, now: () => number): Promise<Verdict> {
  const { fingerprint } = found;
  // A second write in the same second, of the same size and dated back, would go unseen.
  const settled = Math.abs(now() - found.changedAtMs) > settleMs;
  const refuse = (reason: string, keep: boolean, cause?: unknown): Verdict => ({
    fingerprint,
    error: new AppError("INVALID_MODEL", reason, { cause }),
    keep,
  });
  let file: Deno.FsFile;
  try {
    file = await Deno.open(found.path);
  } catch (error) {
    return refuse(`${quote(found.name)} cannot be opened`, false, error);
  }
  using _file = file;
  try {
    // The path may lead elsewhere by now, through a link that took a folder's place.
    const stat = describeStat(await file.stat());
    if (stat.fingerprint !== fingerprint || await Deno.realPath(found.path) !== found.path) {
      return refuse(`${quote(found.name)} changed while it was read`, false);
    }
    const header = await readGguf(createReader(file, found.size));
    // Only whether there is one is asked for; a thousand templates would take much memory.
    if (header.chatTemplate !== undefined) header.chatTemplate = "";
    return { fingerprint, header, keep: settled };
  } catch (error) {
    if (error instanceof AppError) return { fingerprint, error, keep: settled };
    return refuse(`${quote(found.name)} cannot be read`, false, error);
  }
}

function createReader(file: Deno.FsFile, size: number) {
  return {
    size,
    async read(offset: number, length: number): Promise<Uint8Array> {
      await file.seek(offset, Deno.SeekMode.Start);
      const bytes = new Uint8Array(length);
      let filled = 0;
      while (filled < length) {
        const count = await file.read(bytes.subarray(filled));
        if (count === null) break;
        filled += count;
      }
      return bytes.subarray(0, filled);
    },
  };
}

/** Parts of a split model belong together when they lie in one folder and agree on name and count. */
function groupParts(files: readonly FoundFile[]): Group[] {
  const groups = new Map<string, Group>();
  for (const file of files) {
    const part = parseSplitName(file.name);
    const key = part === undefined ? file.path : `${file.folder}\0${part.base}\0${part.count}`;
    const group = groups.get(key) ?? {
      id: part?.base ?? file.name.slice(0, -modelEnding.length),
      partCount: part?.count,
      files: [],
      numbers: [],
    };
    // The walk sorts by name, so parts arrive in order.
    group.files.push(file);
    group.numbers.push(part?.number ?? 1);
    groups.set(key, group);
  }
  return [...groups.values()];
}

function addGroup(index: Index, group: Group, verdicts: readonly Verdict[]): void {
  const first = group.files[0];
  if (first === undefined) return;
  const addProblem = (file: FoundFile, error: AppError) =>
    index.problems.push({ path: escapeUnprintable(file.path), error });
  if (index.entries.has(group.id)) {
    const message = `Model ${quote(group.id)} was already found in another place, which wins`;
    addProblem(first, new AppError("CONFLICT", message));
    return;
  }
  const failed = verdicts.findIndex(({ error }) => error !== undefined);
  const error = verdicts[failed]?.error ?? checkParts(group, verdicts);
  if (error !== undefined) {
    addProblem(group.files[failed] ?? first, error);
    index.entries.set(group.id, { files: group.files, error });
    return;
  }
  index.entries.set(group.id, { files: group.files, record: createRecord(group, verdicts) });
}

/** Why files that are valid each are not one model; undefined when they are. */
function checkParts(group: Group, verdicts: readonly Verdict[]): AppError | undefined {
  const invalid = (reason: string) =>
    new AppError("INVALID_MODEL", `Model ${quote(group.id)} ${reason}`);
  const headers = verdicts.map(({ header }) => header);
  if (group.partCount === undefined) {
    const split = headers[0]?.split;
    if (split === undefined) return undefined;
    return invalid(`is part ${split.index + 1} of ${split.count}, but its name does not say so`);
  }
  const { partCount, numbers } = group;
  for (let number = 1; number <= partCount; number++) {
    if (numbers[number - 1] === number) continue;
    return invalid(`lacks part ${number} of ${partCount}`);
  }
  if (numbers.length !== partCount || partCount === 0) {
    return invalid(`has a part that is not one of ${partCount}`);
  }
  for (const [at, header] of headers.entries()) {
    // A model "split" into one part says nothing of it in its header.
    const split = header?.split ?? { index: 0, count: 1 };
    if (split.index !== at || split.count !== partCount) {
      return invalid(
        `says in part ${at + 1} of ${partCount} that it is ${split.index + 1} of ${split.count}`,
      );
    }
  }
  const total = headers.reduce((sum, header) => sum + (header?.tensorCount ?? 0), 0);
  const claimed = headers[0]?.split?.tensorCount ?? total;
  if (total !== claimed) return invalid(`has ${total} tensors, and says it has ${claimed}`);
  return undefined;
}

function createRecord(group: Group, verdicts: readonly Verdict[]): ModelRecord {
  const headers = verdicts.flatMap(({ header }) => header ?? []);
  const first = headers[0];
  const largest = headers.reduce<GgufHeader | undefined>(
    (most, header) => (header.parameterCount > (most?.parameterCount ?? -1) ? header : most),
    undefined,
  );
  return {
    id: group.id,
    format: "gguf",
    size: group.files.reduce((sum, { size }) => sum + size, 0),
    files: group.files.map(({ name, path, size }) => ({ name, path, size })),
    ...(first?.name === undefined ? {} : { name: first.name }),
    ...(first?.description === undefined ? {} : { description: first.description }),
    ...(first?.license === undefined ? {} : { license: first.license }),
    architecture: first?.architecture ?? "unknown",
    parameterCount: headers.reduce((sum, { parameterCount }) => sum + parameterCount, 0),
    quantization: first?.quantization ?? largest?.quantization ?? "unknown",
    contextLength: first?.contextLength,
    chatTemplate: first?.chatTemplate !== undefined,
    createdAtMs: Math.max(...group.files.map(({ mtimeMs }) => mtimeMs)),
  };
}

function listIds({ entries }: Index): string[] {
  return [...entries].flatMap(([id, { record }]) => record === undefined ? [] : [id]);
}

/** Runs `work` one at a time; callers that arrive meanwhile share the one run that starts after. */
function coalesce<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<unknown> | undefined;
  let waiting: Promise<T> | undefined;
  const start = (): Promise<T> => {
    const run = work().finally(() => {
      if (running === run) running = undefined;
    });
    running = run;
    return run;
  };
  return () => {
    if (running === undefined && waiting === undefined) return start();
    waiting ??= Promise.resolve(running).then(() => {}, () => {}).then(() => {
      waiting = undefined;
      return start();
    });
    return waiting;
  };
}

const maxWarned = 10_000;
const settleMs = 1500;
