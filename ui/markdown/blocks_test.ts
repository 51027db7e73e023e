import assert from "node:assert/strict";
import { type Block, closeOpenMarks, createBlockSplitter, maxBlockChars } from "./blocks.ts";

function split(text: string, size = text.length): Block[] {
  const splitter = createBlockSplitter();
  for (let at = 0; at < text.length; at += size) {
    splitter.push(text.slice(at, at + size));
    splitter.open();
  }
  splitter.end();
  return [...splitter.done];
}

const sample = [
  "# Title",
  "A paragraph with **bold**",
  "on two lines.",
  "- one",
  "",
  "  more of one",
  "- two",
  "  ```js",
  "  a();",
  "  ```",
  "",
  "After the list.",
  "",
  "> quoted",
  "```ts",
  "const a = 1;",
  "",
  "# no title",
  "```",
  "| a | b |",
  "|---|:-:|",
  "| 1 | 2 |",
  "",
  "The end",
].join("\n");

Deno.test("createBlockSplitter: each block is one, however the text arrives", () => {
  const whole = split(sample);
  assert.deepEqual(whole.map(({ kind, text }) => [kind, text.split("\n")[0]]), [
    ["markdown", "# Title"],
    ["markdown", "- one"],
    ["markdown", "After the list."],
    ["markdown", "> quoted"],
    ["code", "const a = 1;"],
    ["markdown", "| a | b |"],
    ["markdown", "The end"],
  ]);
  for (const size of [1, 2, 3, 7, 50]) assert.deepEqual(split(sample, size), whole);
});

Deno.test("createBlockSplitter: a finished block never changes", () => {
  const splitter = createBlockSplitter();
  const seen: Block[] = [];
  for (const char of sample) {
    splitter.push(char);
    splitter.done.forEach((block, index) => {
      seen[index] ??= block;
      assert.equal(block, seen[index]);
    });
  }
});

Deno.test("createBlockSplitter: code that is never closed keeps its text and language", () => {
  const splitter = createBlockSplitter();
  splitter.push("````python title=x\nprint(1)\n```\n");
  assert.deepEqual(splitter.open(), { kind: "code", language: "python", text: "print(1)\n```\n" });
  splitter.push("``");
  splitter.end();
  assert.deepEqual(splitter.done, [
    { kind: "code", language: "python", text: "print(1)\n```\n``" },
  ]);
});

Deno.test("createBlockSplitter: nothing is lost of an odd answer, and no block is unbounded", () => {
  const cases = {
    word: "x".repeat(50_000),
    prose: "some words and more ".repeat(3000),
    lines: "line\n".repeat(10_000),
    brackets: "[".repeat(20_000),
    quotes: "> ".repeat(10_000),
    deepList: Array.from({ length: 10_000 }, (_, i) => `${" ".repeat(i % 300)}- a`).join("\n"),
    longList: Array.from({ length: 10_000 }, (_, i) => `${i + 1}. item`).join("\n"),
    surrogates: "😀".repeat(10_000),
    wideRow: `|a|b|\n|-|-|\n${"|x".repeat(20_000)}`,
  };
  for (const [name, text] of Object.entries(cases)) {
    const blocks = split(text, 997);
    const joined = blocks.map((block) => block.text).join("").replaceAll(/\s/g, "");
    assert.equal(joined, text.replaceAll(/\s/g, ""), name);
    for (const block of blocks) {
      assert.ok(block.text.length <= 3 * maxBlockChars, `${name}: ${block.text.length}`);
      assert.ok(block.text.isWellFormed(), name);
    }
  }
});

Deno.test("createBlockSplitter: deep nesting is shown as it is, not parsed", () => {
  assert.deepEqual(split("> ".repeat(500)).map(({ kind }) => kind), ["plain"]);
  assert.deepEqual(split("- ".repeat(500) + "a").map(({ kind }) => kind), ["plain"]);
  assert.deepEqual(split("> > - a\n").map(({ kind }) => kind), ["markdown"]);
  assert.deepEqual(split("- - - - - - - - - - - - - - - - -\n").map(({ kind }) => kind), [
    "markdown",
  ]);
});

Deno.test("createBlockSplitter: a long table is cut into tables that keep their head", () => {
  const rows = Array.from({ length: 10_000 }, (_, i) => `| ${i} | x |`);
  const blocks = split(["| a | b |", "|---|---|", ...rows].join("\n"));
  assert.ok(blocks.length >= 100);
  assert.ok(blocks.every(({ text }) => text.startsWith("| a | b |\n|---|---|\n| ")));
  const found = blocks.flatMap(({ text }) => text.trim().split("\n").slice(2));
  assert.deepEqual(found, rows);
});

Deno.test("createBlockSplitter: a table with more columns than a person reads is text", () => {
  const wide = `${"|a".repeat(500)}|\n${"|-".repeat(500)}|\n${"|\n".repeat(1000)}`;
  assert.ok(split(wide).every(({ text }) => text.length < 3 * maxBlockChars));
  assert.ok(split(wide).length > 0);
});

Deno.test("createBlockSplitter: a megabyte is cut in linear time", () => {
  const started = performance.now();
  for (const unit of ["x", "a ", "a\n", "- a\n", "> a\n", "[", "`", "```\n", "|a|\n", "a\n\n"]) {
    split(unit.repeat(2 ** 20 / unit.length), 4096);
  }
  const ms = performance.now() - started;
  assert.ok(ms < 10_000, `${ms} ms`);
});

Deno.test("closeOpenMarks: marks that are still being written are closed", () => {
  assert.equal(closeOpenMarks("a **bold"), "a **bold**");
  assert.equal(closeOpenMarks("a **bold** b"), "a **bold** b");
  assert.equal(closeOpenMarks("a **bold*"), "a **bold**");
  assert.equal(closeOpenMarks("a `code"), "a `code`");
  assert.equal(closeOpenMarks("a [text](https://exa"), "a text");
  assert.equal(closeOpenMarks("done\nlast **b"), "done\nlast **b**");
  assert.equal(closeOpenMarks("- item *"), "- item");
});
