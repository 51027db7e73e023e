import assert from "node:assert/strict";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { createEventParser, type ServerEvent } from "./event_parser.ts";

const text = [
  "\uFEFF: a comment\n",
  'data: {"a":1}\n\n',
  "event: result\r\ndata: one\r\ndata: two\r\n\r\n",
  "data:no space\r\rdata\r\r",
  "event: nothing\n\n",
  ": ping\n\n",
  "id: 1\nretry: 5\nunknown: x\ndata:  two spaces\n\n",
  "data: ü – 漢字 \u2028 no end of line\n\n",
  "data: never ended\n",
].join("");

const events: ServerEvent[] = [
  { name: "message", data: '{"a":1}' },
  { name: "result", data: "one\ntwo" },
  { name: "message", data: "no space" },
  { name: "message", data: "" },
  { name: "message", data: " two spaces" },
  { name: "message", data: "ü – 漢字 \u2028 no end of line" },
];

Deno.test("events are the same however their text is cut", () => {
  assert.deepEqual(parse([text]), events);
  assert.deepEqual(parse([...text]), events);
  for (let cut = 1; cut < text.length; cut++) {
    assert.deepEqual(parse([text.slice(0, cut), "", text.slice(cut)]), events, `cut at ${cut}`);
  }
});

Deno.test("a long line in small pieces takes time in proportion to its length", () => {
  const pieces = Array.from({ length: 20_000 }, () => "x".repeat(1000));
  const startedAtMs = performance.now();
  const [event] = parse(["data: ", ...pieces, "\n\n"]);
  assert.equal(event?.data.length, 20_000_000);
  assert.ok(performance.now() - startedAtMs < 2000);
});

Deno.test("an event without an end is refused at the limit, over many lines and in one", () => {
  for (const piece of ["x".repeat(100), "data: x\n".repeat(12), ": x\n".repeat(25)]) {
    const parser = createEventParser({ maxChars: 1000 });
    assert.throws(
      () => {
        for (let count = 0; count < 1000; count++) parser.push(piece);
      },
      (error) => error instanceof AppError && error.code === "PAYLOAD_TOO_LARGE",
    );
  }
  // Many events are no long event.
  const parser = createEventParser({ maxChars: 1000 });
  for (let count = 0; count < 1000; count++) parser.push("data: 0123456789\n\n");
});

function parse(pieces: string[]): ServerEvent[] {
  const parser = createEventParser();
  return pieces.flatMap((piece) => parser.push(piece));
}
