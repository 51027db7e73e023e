// PGlite in a Worker of its own: it computes on its thread for as long as a statement runs.
// Caller: pglite_main.ts, by the bundle worker.js beside it. It may use the folder of its data, and no more.

import { PGlite } from "@electric-sql/pglite";
import type { Row, WorkerAnswer, WorkerRequest } from "./pglite_message.ts";
import { readTar } from "./tar.ts";

interface Scope {
  onmessage: ((event: MessageEvent<WorkerRequest>) => void) | null;
  postMessage(answer: WorkerAnswer): void;
}

const scope = self as unknown as Scope;
let pglite: PGlite | undefined;
let turn: Promise<void> = Promise.resolve();
let nextTrimAtMs = 0;

// Standard output is the pipe to the server.
console.log = console.error;

scope.onmessage = ({ data: request }) => {
  turn = turn.then(() => answer(request)).then((reply) => scope.postMessage(reply)).then(trimLog);
};

async function answer(request: WorkerRequest): Promise<WorkerAnswer> {
  const { id } = request;
  try {
    return { id, kind: "done", rows: await perform(request) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const sqlState = (error as { code?: unknown } | null)?.code;
    const known = typeof sqlState === "string" && /^[0-9A-Z]{5}$/.test(sqlState);
    return { id, kind: "failed", message, ...(known ? { sqlState } : {}) };
  }
}

async function perform(request: WorkerRequest): Promise<Row[]> {
  if (request.kind === "open") {
    pglite = await open(request);
    nextTrimAtMs = Date.now() + trimEveryMs;
    return [];
  }
  if (pglite === undefined) throw new Error("PGlite is not open");
  switch (request.kind) {
    case "query":
      return (await pglite.query<Row>(request.text, [...request.params])).rows;
    case "script":
      await pglite.exec(request.text);
      return [];
    case "close":
      await pglite.close();
      pglite = undefined;
      return [];
    default:
      return request satisfies never;
  }
}

/**
 * PGlite has no process beside it that writes checkpoints or vacuums: its log would grow for as long as it runs, and
 * the start after a kill, which reads it all, would take 7 ms for each MB; and what was overwritten would keep its room.
 */
async function trimLog(): Promise<void> {
  if (pglite === undefined || pglite.isInTransaction() || Date.now() < nextTrimAtMs) return;
  nextTrimAtMs = Date.now() + trimEveryMs;
  try {
    const { rows: [log] } = await pglite.query<{ bytes: number }>(
      "select (pg_current_wal_insert_lsn() - redo_lsn)::float8 as bytes from pg_control_checkpoint()",
    );
    if (log!.bytes <= maxLogBytes) return;
    await pglite.exec("vacuum (analyze)");
    await pglite.exec("checkpoint");
  } catch (error) {
    // Such as a full disk: the next statement that cannot do without says so.
    console.error(error);
  }
}

const trimEveryMs = 1000;
const maxLogBytes = 16 * 1024 * 1024;

/** Arrays travel as JSON, so nobody asks for their types. */
class WithoutArrays extends PGlite {
  override _initArrayTypes(): Promise<void> {
    return Promise.resolve();
  }
}

async function open(
  { data, wasm, files, vector }: WorkerRequest & { kind: "open" },
): Promise<PGlite> {
  const opened = new WithoutArrays({
    dataDir: data,
    pgliteWasmModule: wasm,
    // All that is asked of it: a real Blob would be two more copies.
    fsBundle: { arrayBuffer: () => Promise.resolve(files.buffer) } as Blob,
    startParams: [...PGlite.defaultStartParams, ...settings],
    parsers: { [int8]: Number },
    extensions: { vector: { name: "vector", setup: addVector } },
  });
  await opened.waitReady;
  return opened;

  /** As plain files: PGlite would unpack and compile it at each start, for who may never use it. */
  function addVector(_: unknown, emscriptenOpts: EmscriptenOptions) {
    emscriptenOpts.preRun.push(({ FS }) => {
      for (const { path, bytes } of readTar(vector)) {
        const target = `/pglite/${path}`;
        FS.mkdirTree(target.slice(0, target.lastIndexOf("/")));
        FS.writeFile(target, bytes);
      }
    });
    return Promise.resolve({ emscriptenOpts });
  }
}

interface EmscriptenOptions {
  preRun: ((module: {
    FS: { mkdirTree(path: string): void; writeFile(path: string, bytes: Uint8Array): void };
  }) => void)[];
}

/** Small buffers: the system caches the files too. */
const settings = ["shared_buffers=8MB", "max_connections=5", "search_path=bkg,public"]
  .flatMap((setting) => ["-c", setting]);
const int8 = 20;
