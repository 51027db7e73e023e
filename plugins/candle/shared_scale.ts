// Tells whether a model scales its activations as it runs: one scale for all rows of a run, so that rows which run together
// change each other's numbers. Looks at the file while the engine reads it, so that it is read once.

import type { OpenModel } from "@bkg/plugin";

/** `model` is to be loaded; afterwards `isFound` tells. */
export function watchForSharedScale(opened: OpenModel): { model: OpenModel; isFound(): boolean } {
  let found = false;
  const look = (bytes: ArrayBuffer) => {
    found ||= decoder.decode(bytes).includes(operator);
    return bytes;
  };
  const files = opened.files.map((file) => ({
    name: file.name,
    size: file.size,
    slice(start: number, end: number) {
      const piece = file.slice(start, end);
      if (!/\.onnx$/i.test(file.name)) return piece;
      return { size: piece.size, arrayBuffer: async () => look(await piece.arrayBuffer()) };
    },
  }));
  return { model: { ...opened, files }, isFound: () => found };
}

/** Every model that is quantised so has it many times: one that two pieces cut apart is not missed. */
const operator = "DynamicQuantizeLinear";
/** A character for each byte. */
const decoder = new TextDecoder("latin1");
