// Parses `text/event-stream` (WHATWG HTML 9.2) as it comes, whatever the pieces. Caller: client.ts.

import { AppError } from "../../plugins/runtime/contract/error.ts";

export interface ServerEvent {
  /** "message" when the server named none. */
  name: string;
  data: string;
}

export interface EventParser {
  /** The events that this piece completes. Throws PAYLOAD_TOO_LARGE. */
  push(piece: string): ServerEvent[];
}

/** Without `id` and `retry`: a call is never repeated by itself. */
export function createEventParser({ maxChars = 32 * 1024 * 1024 } = {}): EventParser {
  let started = false;
  /** The last piece ended with CR: a LF that follows belongs to it. */
  let afterReturn = false;
  /** Pieces of a line that has not ended; joined once, so that a long line costs no more than a short one. */
  let line: string[] = [];
  let name = "";
  let data: string[] = [];
  let heldChars = 0;

  const hold = (text: string) => {
    if (text === "") return;
    line.push(text);
    heldChars += text.length;
    if (heldChars <= maxChars) return;
    throw new AppError("PAYLOAD_TOO_LARGE", "The server sent an event that is too large");
  };

  /** The event that an empty line ends. */
  const endLine = (text: string): ServerEvent | undefined => {
    if (text === "") {
      const event = data.length === 0
        ? undefined
        : { name: name || "message", data: data.join("\n") };
      name = "";
      data = [];
      heldChars = 0;
      return event;
    }
    const colon = text.indexOf(":");
    const field = colon === -1 ? text : text.slice(0, colon);
    const value = colon === -1 ? "" : text.slice(text[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "event") name = value;
    else if (field === "data") data.push(value);
    return undefined;
  };

  return {
    push(piece) {
      if (piece === "") return [];
      if (!started && piece.startsWith("\uFEFF")) piece = piece.slice(1);
      started = true;
      const events: ServerEvent[] = [];
      let from = afterReturn && piece.startsWith("\n") ? 1 : 0;
      afterReturn = piece.endsWith("\r");
      lineEnd.lastIndex = from;
      for (let end = lineEnd.exec(piece); end !== null; end = lineEnd.exec(piece)) {
        hold(piece.slice(from, end.index));
        from = lineEnd.lastIndex;
        const event = endLine(line.join(""));
        line = [];
        if (event !== undefined) events.push(event);
      }
      hold(piece.slice(from));
      return events;
    },
  };
}

const lineEnd = /\r\n|\r|\n/g;
