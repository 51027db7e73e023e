// What the server and PGlite's Worker say to each other. Requests are answered in their order, by id.

/** What a statement's parameters and results may be; JSON travels as text. */
export type Value = string | number | boolean | null | Uint8Array;

/** One row: int8 as a number, jsonb parsed, bytea as bytes. */
export type Row = Record<string, unknown>;

export type WorkerRequest =
  & { id: number }
  & (
    /** `folder` holds the data; `assets` PGlite's own files. Both absolute. */
    | { kind: "open"; folder: string; assets: string }
    | { kind: "query"; text: string; params: readonly Value[] }
    /** Several statements without parameters. */
    | { kind: "script"; text: string }
    | { kind: "close" }
  );

export type WorkerAnswer =
  | { id: number; kind: "done"; rows: Row[] }
  /** `sqlState` is absent when PGlite itself failed: nothing it says can be trusted then. */
  | { id: number; kind: "failed"; message: string; sqlState?: string };
