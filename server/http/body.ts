// Reads a JSON body: type, size, time and syntax are checked, each with its own answer.
// The common case (Content-Length within the cap) costs one `text()` and one `JSON.parse`.

import { AppError } from "../../plugins/runtime/contract/error.ts";

export interface BodyReader {
  /** The parsed body; throws UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE, INVALID_INPUT, or TIMEOUT as a 408. */
  json(request: Request): Promise<unknown>;
  /** Bodies that are still arriving. */
  readonly pending: number;
  close(): void;
}

export interface BodyReaderOptions {
  maxBytes?: number | undefined;
  timeoutMs?: number | undefined;
  /** Monotonic clock, ms. */
  now?: (() => number) | undefined;
}

export function createBodyReader(options: BodyReaderOptions = {}): BodyReader {
  const { maxBytes = 16 * 1024 * 1024, timeoutMs = 30_000, now = () => performance.now() } =
    options;
  const arriving = new Set<Arrival>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  // One timer for all bodies, armed only while one is on its way.
  const sweep = () => {
    timer = undefined;
    const oldest = now() - timeoutMs;
    for (const arrival of arriving) {
      if (arrival.startedAtMs <= oldest) arrival.fail(new SlowBodyError(timeoutMs));
    }
    if (arriving.size > 0) timer = setTimeout(sweep, timeoutMs / 4);
  };
  const inTime = (read: Promise<string>, abandon?: () => void) =>
    new Promise<string>((resolve, reject) => {
      const arrival: Arrival = {
        startedAtMs: now(),
        fail: (error) => {
          arriving.delete(arrival);
          abandon?.();
          reject(error);
        },
      };
      arriving.add(arrival);
      timer ??= setTimeout(sweep, timeoutMs / 4);
      read.then((text) => {
        arriving.delete(arrival);
        resolve(text);
      }, (cause) => {
        arriving.delete(arrival);
        reject(cause instanceof AppError ? cause : incomplete(cause));
      });
    });

  return {
    async json(request) {
      const { headers } = request;
      checkType(headers.get("content-type"));
      const length = headers.get("content-length");
      let text: string;
      if (length !== null) {
        if (!(Number(length) <= maxBytes)) throw tooLarge(maxBytes);
        text = await inTime(request.text());
      } else if (request.body === null) {
        text = "";
      } else {
        const reader = request.body.getReader();
        text = await inTime(readCapped(reader, maxBytes), () => void reader.cancel().catch(noop));
      }
      return parseJson(text);
    },
    get pending() {
      return arriving.size;
    },
    close() {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}

/** Parses JSON; INVALID_INPUT says where the text stops making sense. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    if (text.trim() === "") {
      throw new AppError("INVALID_INPUT", "The body is empty; send a JSON value", { cause });
    }
    const position = errorPosition(text, cause);
    const where = position === undefined ? "" : ` at position ${position}`;
    throw new AppError("INVALID_INPUT", `The body is not valid JSON${where}`, {
      cause,
      ...(position === undefined ? {} : { details: { position } }),
    });
  }
}

interface Arrival {
  startedAtMs: number;
  fail(error: AppError): void;
}

/** 408 and not 504: the client was slow, not what is behind this server (RFC 9110 15.5.9). */
class SlowBodyError extends AppError {
  constructor(timeoutMs: number) {
    super("TIMEOUT", `The body did not arrive within ${timeoutMs} ms`);
  }

  override get status(): number {
    return 408;
  }
}

const noop = () => {};
const maxSearchedChars = 256 * 1024;

function checkType(type: string | null): void {
  if (type === "application/json") return;
  const essence = type?.split(";", 1)[0]?.trim().toLowerCase();
  if (essence !== undefined && /^application\/(?:json|[\w.-]+\+json)$/.test(essence)) return;
  throw new AppError("UNSUPPORTED_MEDIA_TYPE", "Send the body as 'Content-Type: application/json'");
}

async function readCapped(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  maxBytes: number,
): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let total = 0;
  while (true) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    total += value.byteLength;
    if (total > maxBytes) {
      void reader.cancel().catch(noop);
      throw tooLarge(maxBytes);
    }
    text += decoder.decode(value, { stream: true });
  }
}

function tooLarge(maxBytes: number): AppError {
  return new AppError("PAYLOAD_TOO_LARGE", `The body is larger than ${maxBytes} bytes`, {
    details: { maxBytes },
  });
}

function incomplete(cause: unknown): AppError {
  return new AppError("INVALID_INPUT", "The body ended before it was complete", { cause });
}

/** V8 leaves the position out of most messages: the shortest prefix that is wrong, not just short, ends there. */
function errorPosition(text: string, error: unknown): number | undefined {
  const named = /at position (\d+)/.exec(String(error));
  if (named !== null) return Number(named[1]);
  if (text.length > maxSearchedChars) return undefined;
  let low = 0;
  let high = text.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isWrongWithin(text.slice(0, middle + 1))) high = middle;
    else low = middle + 1;
  }
  return low;
}

function isWrongWithin(prefix: string): boolean {
  try {
    JSON.parse(prefix);
    return false;
  } catch (error) {
    return !/end of JSON input|Unterminated string|Bad escaped|end of data/i.test(String(error)) &&
      !(/position (\d+)/.exec(String(error))?.[1] === String(prefix.length));
  }
}
