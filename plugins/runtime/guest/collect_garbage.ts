// Gives the memory of what is no longer used back to the system, at once: left alone V8 keeps a heap that has grown, and a
// cell at rest allocates nothing that would make it look.

/** Of V8 (`--expose-gc`), which the prelude put there. A page has none and needs none: browsers collect when idle. */
type Collect = (options: { type: "major"; execution: "sync"; flavor: "last-resort" }) => void;

/** Takes some 10 ms for each 10 MiB that are in use; nothing else of the plugin runs meanwhile. */
export function collectGarbage(): void {
  const collect = Reflect.get(globalThis, Symbol.for("bkg.gc")) as Collect | undefined;
  collect?.({ type: "major", execution: "sync", flavor: "last-resort" });
}
