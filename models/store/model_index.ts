// The models of all places: which one an id means, and what was refused and why. Reads, never writes.
// Caller: library. Headers are validated once for each state of a file; what changes is looked at again.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import { escapeUnprintable, quote } from "../format/text.ts";
import type { ModelOrigin, ModelProblem, ModelRecord, ModelStore } from "../model.ts";
import { damaged, type LocalBlobs } from "./blob_store.ts";
import { copyRecord, describeModel, findRefusal } from "./describe_model.ts";
import {
  describeStat,
  type Findings,
  type FoundFile,
  type FoundModel,
  type Place,
} from "./found.ts";
import type { Headers } from "./headers.ts";
import { createNotFound, resolveId } from "./id_lookup.ts";
import { isModelId } from "./model_id.ts";
import { coalesce } from "./turns.ts";

/** A claimed id: it has a record, or the error why not. */
export interface Entry {
  id: string;
  origin: ModelOrigin;
  model?: FoundModel;
  record?: ModelRecord;
  /** Those of the record, in its order. */
  files?: readonly FoundFile[];
  error?: AppError;
  /** Escaped: where it lies. */
  path: string;
  /** False when it must be judged again though its files stay as they are. */
  settled: boolean;
}

export interface ModelIndex extends ModelStore {
  /** Looks at all places again. */
  refresh(): Promise<ReadonlyMap<string, Entry>>;
  /** The entry that an id means, valid or not, in the places as they are now. */
  find(id: string): Promise<Entry | undefined>;
  /** What it would be if it were found. */
  judge(model: FoundModel): Promise<Entry>;
  /** What the place of a found file says that it is. */
  expectedDigest(path: string): string | undefined;
}

export interface ModelIndexOptions {
  /** In this order: on a duplicate id the first wins. */
  places: readonly Place[];
  headers: Headers;
  blobs: Pick<LocalBlobs, "condition" | "check">;
  knownDigest(fingerprint: string): string | undefined;
  /** Called when all places were looked at. */
  scanned?: () => Promise<void>;
  /** Told once of each file that is refused. */
  log?: { warn(message: string, fields?: Record<string, unknown>): void } | undefined;
}

export function createModelIndex(options: ModelIndexOptions): ModelIndex {
  const { places, headers, blobs, knownDigest, log } = options;
  let index: Index = { entries: new Map(), problems: [], expected: new Map() };
  const judgedBefore = new WeakMap<FoundModel, Entry>();
  const warned = new Set<string>();

  const judge = async (model: FoundModel): Promise<Entry> => {
    const known = judgedBefore.get(model);
    if (known !== undefined) return known;
    const judged = await headers.judge(model);
    const files = [...model.weights, ...model.sidecars];
    const broken = files.find((file) =>
      file.expected !== undefined && blobs.condition(file) === "damaged"
    );
    const refusal = broken === undefined
      ? findRefusal(model, judged)
      : { file: broken, error: damaged(broken) };
    const entry: Entry = {
      id: model.id,
      origin: model.origin,
      model,
      path: escapeUnprintable((refusal?.file ?? model.weights[0])?.path ?? model.id),
      settled: judged.every(({ settled }) => settled),
      ...(refusal === undefined ? describeModel(model, judged) : { error: refusal.error }),
    };
    if (entry.settled) judgedBefore.set(model, entry);
    return entry;
  };

  const tell = ({ record, files = [] }: Entry): ModelRecord | undefined =>
    record && copyRecord(record, files.map(({ fingerprint }) => knownDigest(fingerprint)));

  /** Waits a little for blobs that changed to be read again; until they are, their model is not offered. */
  const recheck = async (entry: Entry, untilMs: number): Promise<Entry> => {
    const changed = storeFiles(entry).filter((file) => blobs.condition(file) === "changed");
    if (changed.length === 0) return entry;
    const { record: _record, ...bare } = entry;
    const checking = Promise.all(changed.map((file) => blobs.check(file)))
      .then(() => entry, (thrown) => {
        const error = thrown instanceof AppError ? thrown : notChecked(entry.id, thrown);
        return { ...bare, error, settled: false };
      });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<Entry>((resolve) => {
      const error = notChecked(entry.id);
      timer = setTimeout(
        () => resolve({ ...bare, error, settled: false }),
        untilMs - performance.now(),
      );
    });
    return await Promise.race([checking, late]).finally(() => clearTimeout(timer));
  };

  const scan = async (): Promise<Index> => {
    const next: Index = { entries: new Map(), problems: [], expected: new Map() };
    const findings = await Promise.all(places.map((place) => place.find()));
    const winners = chooseModels(findings, next);
    const untilMs = performance.now() + maxRecheckMs;
    for (let at = 0; at < winners.length; at += judgedAtOnce) {
      const batch = winners.slice(at, at + judgedAtOnce);
      const entries = await Promise.all(
        batch.map(async (found) =>
          "weights" in found ? await recheck(await judge(found), untilMs) : found
        ),
      );
      for (const entry of entries) next.entries.set(entry.id, entry);
    }
    for (const { path, error, model } of next.entries.values()) {
      if (error !== undefined) next.problems.push({ path, error });
      for (const { path, expected } of [...model?.weights ?? [], ...model?.sidecars ?? []]) {
        if (expected !== undefined) next.expected.set(path, expected);
      }
    }
    index = next;
    warn(next.problems);
    await options.scanned?.();
    return next;
  };
  const refresh = coalesce(scan);

  const warn = (problems: readonly ModelProblem[]) => {
    for (const { path, error } of problems) {
      const line = `${path} ${error.message}`;
      if (warned.size >= maxWarned || warned.has(line)) continue;
      warned.add(line);
      log?.warn("A model file was refused", { path, reason: error.message });
    }
  };

  const find = async (id: string): Promise<Entry | undefined> => {
    const known = index.entries.get(id);
    if (known?.record !== undefined && await isCurrent(known)) return known;
    return resolveId(id, (await refresh()).entries);
  };

  return {
    judge,
    find,
    expectedDigest: (path) => index.expected.get(path),
    refresh: async () => (await refresh()).entries,
    async list() {
      const { entries } = await refresh();
      return [...entries.values()]
        .flatMap((entry) => tell(entry) ?? [])
        .sort((a, b) => (a.id < b.id ? -1 : 1));
    },
    async get(id) {
      let entry = await find(id);
      const unsound = storeFiles(entry).filter((file) => blobs.condition(file) !== "sound");
      if (entry !== undefined && unsound.length > 0) {
        const { id: found } = entry;
        await Promise.all(unsound.map((file) => blobs.check(file))).catch((error) => {
          throw refused(found, error);
        });
        entry = await find(found);
      }
      if (entry?.error !== undefined) throw refused(entry.id, entry.error);
      const record = entry && tell(entry);
      if (record !== undefined) return record;
      throw createNotFound(id, index.entries);
    },
    async problems() {
      return [...(await refresh()).problems];
    },
  };
}

interface Index {
  entries: Map<string, Entry>;
  problems: ModelProblem[];
  /** Digests by path. */
  expected: Map<string, string>;
}

/** Of each id the first model that claims it; the others become problems where a person can do something. */
function chooseModels(findings: readonly Findings[], { problems }: Index): (FoundModel | Entry)[] {
  const winners = new Map<string, FoundModel | Entry>();
  const seen = new Set<string>();
  for (const { models, refused, problems: found } of findings) {
    // One folder may lie inside another: the same path is the same file.
    problems.push(...found.filter(({ path }) => !seen.has(path)));
    for (const { path } of found) seen.add(path);
    for (const refusal of refused) winners.set(refusal.id, { ...refusal, settled: false });
    for (const model of models) {
      const path = model.weights[0]?.path ?? "";
      if (model.origin === "folder" && seen.has(path)) continue;
      seen.add(path);
      const error = findClaimError(model, winners);
      if (error === undefined) winners.set(model.id, model);
      else if (error !== "known twice") problems.push({ path: escapeUnprintable(path), error });
    }
  }
  return [...winners.values()];
}

function findClaimError(
  { id, origin }: FoundModel,
  winners: ReadonlyMap<string, unknown>,
): AppError | "known twice" | undefined {
  if (!isModelId(id)) return new AppError("INVALID_MODEL", `${quote(id)} is no name for a model`);
  if (!winners.has(id)) return undefined;
  if (origin !== "folder") return "known twice";
  const message = `Model ${quote(id)} was already found in another place, which wins`;
  return new AppError("CONFLICT", message);
}

function refused(id: string, error: unknown): unknown {
  if (!(error instanceof AppError)) return error;
  // That it could not be looked at yet is no verdict.
  const code = error.code === "INVALID_MODEL" ? "INVALID_MODEL" : "UNAVAILABLE";
  return new AppError(code, `Model ${quote(id)} was refused: ${error.message}`, {
    details: error.details,
    cause: error,
  });
}

function notChecked(id: string, cause?: unknown): AppError {
  const reason = `A file of model ${quote(id)} changed on this disk and is being read again`;
  return new AppError("UNAVAILABLE", reason, { cause });
}

function storeFiles(entry: Entry | undefined) {
  if (entry?.model?.origin !== "store") return [];
  return [...entry.model.weights, ...entry.model.sidecars];
}

/** Whether the files of an entry are what they were when it was judged. */
async function isCurrent({ model, settled }: Entry): Promise<boolean> {
  if (model === undefined || !settled) return false;
  const isThere = (path: string) => Deno.lstat(path).catch(() => undefined);
  if (model.marker !== undefined && await isThere(model.marker) === undefined) return false;
  for (const file of [...model.weights, ...model.sidecars, ...model.beside]) {
    const stat = await isThere(file.path);
    if (!stat?.isFile || describeStat(stat).fingerprint !== file.fingerprint) return false;
  }
  return true;
}

const maxWarned = 10_000;
const judgedAtOnce = 16;
/** Of all together: after a backup was restored, a list does not take as long as reading everything. */
const maxRecheckMs = 1000;
