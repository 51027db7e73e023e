// The terminal: the process's streams as CliIo, and text that plugins wrote made harmless to print.

import process from "node:process";
import { createInterface } from "node:readline";
import { toPlainLines } from "../../plugins/runtime/contract/plain_text.ts";
import { readEnvironment } from "../config.ts";
import type { CliIo, Prompt } from "./command.ts";
import { createSecretReader } from "./secret_reader.ts";

export function processIo(): CliIo {
  return {
    env: readEnvironment(),
    out: (text) => writeAll(Deno.stdout, text),
    err: (text) => writeAll(Deno.stderr, text),
    interactive: Deno.stdin.isTerminal() && Deno.stdout.isTerminal(),
    ...(Deno.stderr.isTerminal() ? { errColumns: columns() } : {}),
    onInterrupt(listener) {
      Deno.addSignalListener("SIGINT", listener);
      return () => Deno.removeSignalListener("SIGINT", listener);
    },
    readAll: () => new Response(Deno.stdin.readable).text(),
    openPrompt,
    askSecret: createSecretReader({
      read: (buffer) => Deno.stdin.read(buffer),
      setRaw: (raw) => Deno.stdin.setRaw(raw),
      write: (text) => writeAll(Deno.stdout, text),
    }),
    fetch,
  };
}

/** Text that a plugin or a file brought, on one line. */
export function printableLine(text: string): string {
  return toPlainLines(text).replace(/[\r\n\t]+/g, " ");
}

/** Columns padded to their widest cell; cells are made printable. */
export function table(rows: readonly (readonly string[])[]): string {
  const clean = rows.map((row) => row.map(printableLine));
  const widths = (clean[0] ?? []).map((_, column) =>
    Math.max(...clean.map((row) => row[column]?.length ?? 0))
  );
  return clean.map((row) =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd() + "\n"
  ).join("");
}

function columns(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    return 80;
  }
}

function writeAll(to: typeof Deno.stdout | typeof Deno.stderr, text: string): void {
  let rest = new TextEncoder().encode(text);
  try {
    while (rest.length > 0) rest = rest.subarray(to.writeSync(rest));
  } catch (error) {
    // Whoever read this has left, as `head` does; the code is a shell's for SIGPIPE.
    if (error instanceof Deno.errors.BrokenPipe) Deno.exit(141);
    throw error;
  }
}

function openPrompt(): Prompt {
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  let answer: ((line: string | undefined) => void) | undefined;
  let ended = false;
  const settle = (line: string | undefined) => {
    const waiting = answer;
    answer = undefined;
    waiting?.(line);
  };
  const prompt: Prompt = {
    onInterrupt: undefined,
    ask(question) {
      if (ended) return Promise.resolve(undefined);
      return new Promise((resolve) => {
        answer = resolve;
        lines.question(question, settle);
      });
    },
    [Symbol.dispose]: () => lines.close(),
  };
  lines.on("SIGINT", () => {
    if (prompt.onInterrupt !== undefined) prompt.onInterrupt();
    else settle(undefined);
  });
  lines.on("close", () => {
    ended = true;
    settle(undefined);
  });
  return prompt;
}
