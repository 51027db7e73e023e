// Which models native engines may open: those that came with bkg, and those that were marked and have the very files
// that they had then. Callers: compose, open_models.ts. Invariant: a mark is of an id and of digests; neither alone
// counts, and what nobody has read is not trusted.

import { createHash } from "node:crypto";
import type { ModelRecord } from "../../models/model.ts";
import type { OpenModelLibrary } from "../../models/store/library.ts";
import type { Db } from "../db/db.ts";

/** Its records say whether they are trusted; `open` reads again what was marked and touched since. */
export interface TrustedLibrary extends OpenModelLibrary {
  /** Marks a model with the digests of all its files, as they were read. */
  trust(modelId: string, digests: readonly string[]): Promise<void>;
  /** Takes away all marks of an id. A plugin that has the model open keeps it so. */
  distrust(modelId: string): Promise<void>;
}

export interface TrustedLibraryDeps {
  library: OpenModelLibrary;
  db: Pick<Db, "sql">;
  /** Ms since the epoch. */
  now?: () => number;
}

export function createTrustedLibrary(
  { library, db, now = Date.now }: TrustedLibraryDeps,
): TrustedLibrary {
  // Plugins and pages list models all the time.
  let known: { marks: Promise<Marks>; untilMs: number } | undefined;

  /** What was known last, while it is asked for anew: who lists models or names one does not wait for the database. */
  function lastMarks(): Promise<Marks> {
    const last = known?.marks;
    const asked = readMarks();
    return last ?? asked;
  }

  function readMarks(): Promise<Marks> {
    if (known !== undefined && performance.now() < known.untilMs) return known.marks;
    const marks = db.sql`select model_id, digest from trusted_models`.then((rows) => {
      const byId = new Map<string, Set<string>>();
      for (const { model_id, digest } of rows) {
        const of = byId.get(String(model_id)) ?? new Set();
        byId.set(String(model_id), of.add(String(digest)));
      }
      return byId;
    });
    const asked = { marks, untilMs: performance.now() + maxAgeMs };
    known = asked;
    marks.catch(() => {
      if (known === asked) known = undefined;
    });
    return marks;
  }

  /** By the digests that are known without reading. */
  async function tell(model: ModelRecord): Promise<ModelRecord> {
    return judge(model, (await lastMarks()).get(model.id));
  }

  return {
    ...library,
    async list() {
      const [models, marks] = await Promise.all([library.list(), lastMarks()]);
      return models.map((model) => judge(model, marks.get(model.id)));
    },
    get: async (id) => await tell(await library.get(id)),
    pin: async (id, pinned) => await tell(await library.pin(id, pinned)),
    async open(id) {
      const { model, release } = await library.open(id);
      try {
        const marks = (await readMarks()).get(model.id);
        if (marks !== undefined) {
          for (const file of model.files) {
            const { digest, fingerprint } = await library.digest(file);
            Object.assign(file, { digest, fingerprint });
          }
        }
        return { model: judge(model, marks), release };
      } catch (error) {
        release();
        throw error;
      }
    },
    async remove(id, options) {
      const { id: own } = await library.get(id).catch(() => ({ id }));
      const removed = await library.remove(id, options);
      await distrust(own);
      return removed;
    },
    async collectGarbage(options) {
      const garbage = await library.collectGarbage(options);
      if (!options?.dryRun) { for (const id of garbage.models) await distrust(id); }
      return garbage;
    },
    async trust(modelId, digests) {
      await db.sql`
        insert into trusted_models (model_id, digest, marked_at_ms)
        values (${modelId}, ${digestOf(digests)}, ${now()})
        on conflict (model_id, digest) do nothing`;
      known = undefined;
    },
    distrust,
  };

  async function distrust(modelId: string): Promise<void> {
    await db.sql`delete from trusted_models where model_id = ${modelId}`;
    known = undefined;
  }
}

type Marks = ReadonlyMap<string, ReadonlySet<string>>;

function judge(model: ModelRecord, marks: ReadonlySet<string> | undefined): ModelRecord {
  if (model.origin === "demo") return { ...model, trusted: true };
  if (marks === undefined) return { ...model, trusted: false };
  const digests = model.files.map(({ digest }) => digest);
  const isMarked = digests.every((digest) => digest !== undefined) && marks.has(digestOf(digests));
  return isMarked
    ? { ...model, trusted: true }
    : { ...model, trusted: false, changedSinceTrusted: true };
}

/** One for all files, in whatever order a place lists them. */
function digestOf(digests: readonly string[]): string {
  const text = digests.toSorted().join("\n");
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}

/** After which another server's marks on the same database are seen. */
const maxAgeMs = 1000;
