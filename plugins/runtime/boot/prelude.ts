// The first text in every Worker that runs plugin or engine code: makes a Deno Worker look like a browser's.
// For parity alone, never for security (a nested data: Worker restores all of it). Outside Deno it does nothing.

/**
 * Plain JavaScript on one line, to be put in front of a module's text. It hides `process`, `Deno`, `caches` and
 * `BroadcastChannel`, puts V8's `gc` where the guest finds it (guest/collect_garbage.ts), gives every JavaScript blob
 * the same prelude, and makes Workers modules: Deno has no others.
 */
export const preludeSource: string = [
  "(function prelude() {",
  '  const done = Symbol.for("bkg.prelude");',
  '  if (done in globalThis || typeof Deno === "undefined") return;',
  "  Object.defineProperty(globalThis, done, { value: true });",
  '  Object.defineProperty(globalThis, Symbol.for("bkg.gc"), { value: globalThis.gc });',
  // Emscripten takes whoever has `process` for Node.js, and then calls `require`.
  '  for (const name of ["process", "Deno", "caches", "BroadcastChannel", "gc"]) {',
  "    if (!Reflect.deleteProperty(globalThis, name)) globalThis[name] = undefined;",
  "  }",
  '  const source = "(" + prelude + ")();";',
  "  const createObjectURL = URL.createObjectURL;",
  "  URL.createObjectURL = function (object) {",
  "    const isScript = object instanceof Blob && /javascript/.test(object.type);",
  "    const served = isScript ? new Blob([source, object], { type: object.type }) : object;",
  "    return createObjectURL.call(URL, served);",
  "  };",
  "  const PlainWorker = globalThis.Worker;",
  "  globalThis.Worker = class Worker extends PlainWorker {",
  '    constructor(url, { workerData, ...options } = {}) { super(url, { ...options, type: "module" }); }',
  "  };",
  "})();",
].map((line) => line.trim()).join(" ");
