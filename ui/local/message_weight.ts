// What a plugin's message costs the page that takes it: a few huge ones would stop the page's event loop.

/** As in a cell's frame (plugins/runtime/channel): bytes, and values within values. */
const maxMessageBytes = 32 * 1024 * 1024;
const maxValues = 256 * 1024;

/** `bytes` is about what it takes; `problem` says why the page must not take it. */
export function weighMessage(message: unknown): { bytes: number; problem: string | undefined } {
  let bytes = 0;
  let values = 0;
  // What is shared or circular is counted each time it is met; the caps end that as well.
  const waiting: unknown[] = [message];
  while (waiting.length > 0) {
    const value = waiting.pop();
    bytes += 8;
    if (++values > maxValues) {
      return { bytes, problem: "holds too many values; send typed arrays, or a stream" };
    }
    if (typeof value === "string") bytes += value.length;
    else if (ArrayBuffer.isView(value)) bytes += value.buffer.byteLength;
    else if (value instanceof ArrayBuffer) bytes += value.byteLength;
    else if (value instanceof Blob) bytes += value.size;
    else if (value instanceof Map || value instanceof Set || value instanceof MessagePort) {
      return { bytes, problem: "holds what is no JSON" };
    } else if (typeof value === "object" && value !== null) {
      const keys = Object.keys(value);
      if (values + waiting.length + keys.length > maxValues) {
        return { bytes, problem: "holds too many values; send typed arrays, or a stream" };
      }
      for (const key of keys) {
        bytes += key.length;
        waiting.push((value as Record<string, unknown>)[key]);
      }
    }
    if (bytes > maxMessageBytes) {
      return { bytes, problem: `has more than ${maxMessageBytes} bytes` };
    }
  }
  return { bytes, problem: undefined };
}
