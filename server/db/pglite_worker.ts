// PGlite in a Worker of its own: it computes on its thread for as long as a statement runs.
// Caller: pglite_main.ts, by the bundle worker.js beside it. It may read PGlite's files and use its folder, no more.

import { PGlite } from "@electric-sql/pglite";
import type { Row, WorkerAnswer, WorkerRequest } from "./pglite_message.ts";
import { unpackTemplate } from "./template.ts";

interface Scope {
  onmessage: ((event: MessageEvent<WorkerRequest>) => void) | null;
  postMessage(answer: WorkerAnswer): void;
}

const scope = self as unknown as Scope;
let pglite: PGlite | undefined;
let turn: Promise<void> = Promise.resolve();

// Standard output is the pipe to the server.
console.log = console.error;

scope.onmessage = ({ data: request }) => {
  turn = turn.then(() => answer(request)).then((reply) => scope.postMessage(reply));
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
    await open(request);
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
      return [];
    default:
      return request satisfies never;
  }
}

async function open({ folder, assets }: { folder: string; assets: string }): Promise<void> {
  const data = `${folder}/pgdata`;
  const files = Promise.all([compile("pglite.wasm"), Deno.readFile(`${assets}/pglite.data`)]);
  await unpackTemplate(`${assets}/template.gz`, data);
  const [pgliteWasmModule, fsBundle] = await files;
  pglite = await PGlite.create({
    dataDir: data,
    pgliteWasmModule,
    fsBundle: new Blob([fsBundle]),
    startParams: [...PGlite.defaultStartParams, ...settings],
    parsers: { [int8]: Number },
    extensions: {
      vector: {
        name: "vector",
        setup: (_, emscriptenOpts) =>
          Promise.resolve({
            emscriptenOpts,
            bundlePath: new URL(`file://${assets}/vector.tar.gz`),
          }),
      },
    },
  });

  async function compile(name: string): Promise<WebAssembly.Module> {
    return await WebAssembly.compile(await Deno.readFile(`${assets}/${name}`));
  }
}

/** Small buffers: 172 MB resident instead of 305. */
const settings = ["-c", "shared_buffers=16MB", "-c", "search_path=bkg,public"];
const int8 = 20;
