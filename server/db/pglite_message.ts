// What the server, PGlite's process and its Worker say to each other. Requests are answered in their order, by id.

/** What a statement's parameters and results may be; JSON travels as text. */
export type Value = string | number | boolean | null | Uint8Array;

/** One row: int8 as a number, jsonb parsed, bytea as bytes. */
export type Row = Record<string, unknown>;

export type WorkerRequest =
  & { id: number }
  & (
    /** The process's own, with the id 0. `data` is a folder; the last three are PGlite's. */
    | {
      kind: "open";
      data: string;
      wasm: WebAssembly.Module;
      files: Uint8Array<ArrayBuffer>;
      vector: Uint8Array<ArrayBuffer>;
    }
    | { kind: "query"; text: string; params: readonly Value[] }
    /** Several statements without parameters. */
    | { kind: "script"; text: string }
    | { kind: "close" }
  );

export type WorkerAnswer =
  | { id: number; kind: "done"; rows: Row[] }
  /** `sqlState` is absent when PGlite itself failed: nothing it says can be trusted then. */
  | { id: number; kind: "failed"; message: string; sqlState?: string };
