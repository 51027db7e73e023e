// Cuts Markdown into blocks while it is still being written: a finished block never changes again, so that it is
// parsed and shown once. Every block is bounded, whatever a model writes; code is the exception and is not parsed.

export type Block =
  | { kind: "markdown"; text: string }
  /** Shown as it is: nested or long beyond what a parser should be given. */
  | { kind: "plain"; text: string }
  | { kind: "code"; language: string; text: string };

/** Longest Markdown that is parsed in one go, characters. */
export const maxBlockChars = 4000;

export interface BlockSplitter {
  /** Finished blocks, in order; only ever appended to. */
  readonly done: readonly Block[];
  /** What is being written after them; undefined when there is nothing. */
  open(): Block | undefined;
  push(text: string): void;
  /** No more will come: everything is done. */
  end(): void;
}

export function createBlockSplitter(): BlockSplitter {
  const done: Block[] = [];
  let state: State = { kind: "none" };
  let line = "";
  /** Whether `line` is the rest of a line whose beginning is a block already. */
  let cutLine = false;

  const finish = (finished: State) => {
    const block = toBlock(finished);
    if (block !== undefined) done.push(block);
  };
  const takeLine = (text: string) => {
    if (cutLine) {
      finish({ kind: "text", text: text.trimStart() });
      cutLine = false;
      return;
    }
    const step = takeInto(state, text);
    step.finished.forEach(finish);
    state = step.state;
  };
  const cutLongLine = () => {
    while (state.kind !== "code" && line.length > maxBlockChars) {
      finish(state);
      state = { kind: "none" };
      const at = cutPosition(line);
      finish({ kind: "text", text: line.slice(0, at) });
      line = line.slice(at);
      cutLine = true;
    }
  };

  return {
    done,
    open() {
      const text = cutLine ? line.trimStart() : line;
      if (state.kind === "code") {
        // A line of backticks may be the end that is being written.
        const last = isFenceStart(line) ? "" : line;
        return { kind: "code", language: state.language, text: state.text + last };
      }
      if (text === "") return toBlock(state);
      return toBlock(state.kind === "none" ? { kind: "text", text } : addTo(state, text));
    },
    push(text) {
      let from = 0;
      for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", from)) {
        line += text.slice(from, at);
        cutLongLine();
        takeLine(line.endsWith("\r") ? line.slice(0, -1) : line);
        line = "";
        from = at + 1;
      }
      line += text.slice(from);
      cutLongLine();
    },
    end() {
      if (line !== "") takeLine(line);
      line = "";
      finish(state);
      state = { kind: "none" };
    },
  };
}

/** Ends emphasis, code and links that are still being written, so that they do not flicker as their marks. */
export function closeOpenMarks(text: string): string {
  const start = text.lastIndexOf("\n") + 1;
  const head = text.slice(0, start);
  let last = text.slice(start).replace(/\[([^\][]*)\]\([^()\s]*$/, "$1");
  if (last.length > maxBlockChars) return text;
  if (count(last, "`") % 2 === 1) {
    return `${head}${last.replace(/`$/, "")}${last.endsWith("`") ? "" : "`"}`;
  }
  last = last.replace(/(?:^|\s)\*{1,2}$/, "").replace(/(\S)\*$/, "$1");
  return count(last, "**") % 2 === 1 ? `${head}${last.trimEnd()}**` : head + last;
}

type State =
  | { kind: "none" }
  | { kind: "text"; text: string }
  | { kind: "quote"; text: string }
  | { kind: "list"; text: string; blank: boolean }
  | { kind: "table"; head: string; columns: number; rows: number; text: string }
  | { kind: "code"; mark: string; indent: number; language: string; text: string };

/** What became of a line: states that are blocks now, and the one that goes on. */
interface Step {
  finished: State[];
  state: State;
}

function takeInto(state: State, line: string): Step {
  if (state.kind === "code") return takeIntoCode(state, line);
  if (line.trim() === "") {
    return state.kind === "list"
      ? goOn({ ...addTo(state, line), blank: true })
      : { finished: [state], state: { kind: "none" } };
  }
  const inList = state.kind === "list" && /^(?: {2}|\t)/.test(line);
  const fence = inList ? null : fenceStart.exec(line);
  if (fence !== null) {
    const [, indent = "", mark = "```", info = ""] = fence;
    const language = (info.trim().split(/\s/, 1)[0] ?? "").slice(0, 30);
    const code: State = { kind: "code", mark, indent: indent.length, language, text: "" };
    return { finished: [state], state: code };
  }
  switch (state.kind) {
    case "none":
      return startAfter(state, line);
    case "text":
      return takeIntoText(state, line);
    case "quote": {
      const full = state.text.length + line.length > maxBlockChars;
      return full ? startAfter(state, line) : goOn(addTo(state, line));
    }
    case "list": {
      const item = listItem.test(line);
      const belongs = inList || item || (!state.blank && !interrupts.test(line));
      // Better between two items of the outermost list than anywhere.
      const full = state.text.length > (item && !inList ? maxBlockChars / 2 : maxBlockChars * 2);
      return belongs && !full
        ? goOn({ ...addTo(state, line), blank: false })
        : startAfter(state, line);
    }
    case "table": {
      const full = state.text.length > maxBlockChars || state.rows >= maxTableRows ||
        (state.rows + 1) * state.columns > maxTableCells;
      if (!full) return goOn({ ...addTo(state, line), rows: state.rows + 1 });
      return { finished: [state], state: { ...state, rows: 1, text: `${state.head}${line}\n` } };
    }
  }
}

function takeIntoCode(state: Extract<State, { kind: "code" }>, line: string): Step {
  if (isFenceEnd(line, state.mark)) return { finished: [state], state: { kind: "none" } };
  const indent = Math.min(state.indent, line.length - line.trimStart().length);
  return goOn(addTo(state, line.slice(indent)));
}

function takeIntoText(state: Extract<State, { kind: "text" }>, line: string): Step {
  const lastStart = state.text.lastIndexOf("\n", state.text.length - 2) + 1;
  const last = state.text.slice(lastStart).trimEnd();
  if (last.includes("|") && tableDelimiter.test(line)) {
    const before: State = { kind: "text", text: state.text.slice(0, lastStart) };
    const columns = count(line.trim().replace(/^\||\|$/g, ""), "|") + 1;
    const head = `${last}\n${line}\n`;
    // A short row costs as many cells as its head has.
    return columns > maxTableColumns || head.length > maxBlockChars / 2
      ? { finished: [before], state: { kind: "text", text: head } }
      : { finished: [before], state: { kind: "table", head, columns, rows: 0, text: head } };
  }
  // A line of dashes or equals signs makes the text above it a heading.
  if (/^ {0,3}(?:-+|=+)\s*$/.test(line)) {
    return { finished: [addTo(state, line)], state: { kind: "none" } };
  }
  const starts = interrupts.test(line) || /^ {0,3}(?:(?:[-*+]|1[.)]) |>)/.test(line);
  return starts || state.text.length + line.length > maxBlockChars
    ? startAfter(state, line)
    : goOn(addTo(state, line));
}

function startAfter(finished: State, line: string): Step {
  const text = `${line}\n`;
  if (/^ {0,3}>/.test(line)) return { finished: [finished], state: { kind: "quote", text } };
  return listItem.test(line) && !rule.test(line)
    ? { finished: [finished], state: { kind: "list", text, blank: false } }
    : { finished: [finished], state: { kind: "text", text } };
}

function goOn(state: State): Step {
  return { finished: [], state };
}

function addTo<Kind extends Exclude<State, { kind: "none" }>>(state: Kind, line: string): Kind {
  return { ...state, text: `${state.text}${line}\n` };
}

function toBlock(state: State): Block | undefined {
  if (state.kind === "none") return undefined;
  if (state.kind === "code") {
    return { kind: "code", language: state.language, text: state.text.replace(/\n$/, "") };
  }
  if (state.text.trim() === "") return undefined;
  return { kind: isTooDeep(state.text) ? "plain" : "markdown", text: state.text };
}

/** Quotes and lists within each other cost a parser its stack. */
function isTooDeep(text: string): boolean {
  return text.split("\n").some((line) => {
    const marks = /^(?:[ \t]*(?:[>*+-]|\d{1,9}[.)]))*/.exec(line.slice(0, 400))?.[0] ?? "";
    const depth = marks.replaceAll(/[ \t\d]/g, "").length;
    return (depth > maxDepth && !rule.test(line)) || /^[ \t]{40}/.test(line);
  });
}

/** Where to cut a long line: at a space, and never within a surrogate pair. */
function cutPosition(line: string): number {
  const space = line.lastIndexOf(" ", maxBlockChars);
  if (space > maxBlockChars / 2) return space + 1;
  return /[\ud800-\udbff]/.test(line[maxBlockChars - 1] ?? "") ? maxBlockChars - 1 : maxBlockChars;
}

function isFenceEnd(line: string, mark: string): boolean {
  const text = line.trim();
  return text.length >= mark.length && /^ {0,3}\S/.test(line) &&
    text === text[0]?.repeat(text.length) &&
    text[0] === mark[0];
}

function isFenceStart(line: string): boolean {
  return /^ {0,3}(?:`{1,3}|~{1,3})$/.test(line);
}

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}

const fenceStart = /^( {0,3})(`{3,}|~{3,})([^`]*)$/;
const listItem = /^ {0,3}(?:[-*+]|\d{1,9}[.)])(?:\s|$)/;
const rule = /^ {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const interrupts = /^ {0,3}(?:#{1,6}(?:\s|$)|(?:-[ \t]*){3,}$|(?:\*[ \t]*){3,}$|(?:_[ \t]*){3,}$)/;
const tableDelimiter = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;

const maxDepth = 12;
const maxTableRows = 100;
const maxTableCells = 2000;
const maxTableColumns = 60;
