// Tells whether a model scales its activations as it runs: one scale for all rows of a run, so that rows which run together
// change each other's numbers. Looks at the file while the engine reads it, so that it is read once.

import type { ModelFile, OpenModel } from "@bkg/plugin";

/** `model` is to be loaded; afterwards `isFound` tells. A native engine reads elsewhere: then the file is read here. */
export function watchForSharedScale(
  opened: OpenModel,
  file: string,
): { model: OpenModel; isFound(): Promise<boolean> } {
  let found = false;
  let readBytes = 0;
  const look = (bytes: ArrayBuffer) => {
    readBytes += bytes.byteLength;
    found ||= includesOperator(new Uint8Array(bytes));
    return bytes;
  };
  const watch = (graph: ModelFile): ModelFile => ({
    name: graph.name,
    size: graph.size,
    ...(graph.handle === undefined ? {} : { handle: graph.handle }),
    slice(start, end) {
      const piece = graph.slice(start, end);
      return { size: piece.size, arrayBuffer: async () => look(await piece.arrayBuffer()) };
    },
  });
  const files = opened.files.map((other) => other.name === file ? watch(other) : other);
  return {
    model: { ...opened, files },
    async isFound() {
      const graph = opened.files.find(({ name }) => name === file);
      if (graph === undefined || readBytes > 0) return found;
      for (let start = 0; start < graph.size && !found; start += pieceBytes) {
        look(await graph.slice(start, Math.min(start + pieceBytes, graph.size)).arrayBuffer());
      }
      return found;
    },
  };
}

/** Every model that is quantised so has it many times: one that two pieces cut apart is not missed. */
function includesOperator(bytes: Uint8Array): boolean {
  const [first = 0] = operator;
  for (let at = bytes.indexOf(first); at >= 0; at = bytes.indexOf(first, at + 1)) {
    if (operator.every((byte, index) => bytes[at + index] === byte)) return true;
  }
  return false;
}

const operator = new TextEncoder().encode("DynamicQuantizeLinear");
const pieceBytes = 16 * 1024 * 1024;
