// What a JSON text costs its reader, known before it is parsed: a peer must not stop the reader's event loop.

/** The most bytes that the JSON of one frame of a plugin may have. */
export const maxJsonBytes = 8 * 1024 * 1024;

/**
 * The heaviest JSON that one frame of a plugin may hold: 260,000 numbers, or 50,000 members of objects; some
 * 40 ms of parsing (measured: distinct keys are the dearest). A text weighs at most its bytes.
 */
export const maxJsonWeight = 256 * 1024;

/** Why the host does not parse `json`; undefined when it does. */
export function jsonProblem(json: Uint8Array): string | undefined {
  if (json.length <= maxJsonWeight) return undefined;
  if (json.length > maxJsonBytes) {
    return `has ${json.length} bytes of JSON, the host takes ${maxJsonBytes}`;
  }
  return isHeavy(json) ? "holds too many values; send typed arrays, or a stream" : undefined;
}

/** Adds up brackets (2, with their ends), colons (4) and commas (1) outside strings, until it is too much. */
function isHeavy(json: Uint8Array): boolean {
  let weight = 0;
  for (let at = 0; at < json.length; at++) {
    switch (json[at]) {
      case quote:
        at = endOfString(json, at);
        break;
      case openBracket:
      case openBrace:
        weight += 2;
        break;
      case colon:
        weight += 4;
        break;
      case comma:
        weight++;
    }
    if (weight > maxJsonWeight) return true;
  }
  return false;
}

/** Where the string that opens at `from` ends; the text's end when it does not. */
function endOfString(json: Uint8Array, from: number): number {
  let end = json.indexOf(quote, from + 1);
  while (end !== -1 && isEscaped(json, end)) end = json.indexOf(quote, end + 1);
  return end === -1 ? json.length : end;
}

function isEscaped(json: Uint8Array, at: number): boolean {
  let backslashes = 0;
  while (json[at - 1 - backslashes] === backslash) backslashes++;
  return backslashes % 2 === 1;
}

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const openBracket = 0x5b;
const backslash = 0x5c;
const openBrace = 0x7b;
