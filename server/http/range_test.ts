import assert from "node:assert/strict";
import { isKnownTag, parseRange } from "./range.ts";

const etag = '"a"';

Deno.test("parseRange answers what is no single range of bytes with the whole", () => {
  for (
    const header of [
      null,
      "",
      "bytes",
      "bytes=",
      "bytes=-",
      "bytes=a-b",
      "bytes=1.5-2",
      "bytes=+1-2",
      "bytes=0x1-2",
      "bytes=5-2",
      "bytes=0-1,3-4",
      "bytes=0-,",
      "items=0-1",
      "bytes 0-1",
      "bytes=--1",
    ]
  ) {
    assert.deepEqual(parse(header), { kind: "whole" }, String(header));
  }
});

Deno.test("parseRange refuses what starts where there is nothing", () => {
  for (const header of ["bytes=10-", "bytes=10-20", "bytes=-0", `bytes=${"9".repeat(400)}-`]) {
    assert.equal(parse(header).kind, "unsatisfiable", header);
  }
  assert.equal(parse("bytes=0-", 0).kind, "unsatisfiable");
  assert.equal(parse("bytes=-1", 0).kind, "unsatisfiable");
});

Deno.test("parseRange cuts one range to the size", () => {
  const part = (start: number, end: number) => ({ kind: "part", start, end });
  assert.deepEqual(parse("bytes=0-0"), part(0, 1));
  assert.deepEqual(parse("bytes=9-9"), part(9, 10));
  assert.deepEqual(parse("bytes=2-"), part(2, 10));
  assert.deepEqual(parse("bytes=-3"), part(7, 10));
  assert.deepEqual(parse("bytes=-300"), part(0, 10));
  assert.deepEqual(parse("bytes=5-999999999999999999999"), part(5, 10));
  assert.deepEqual(parse("Bytes= 1-2 "), part(1, 3));
});

Deno.test("parseRange heeds If-Range by the strong comparison", () => {
  const ask = (ifRange: string) => parseRange("bytes=0-0", { size: 10, etag, ifRange }).kind;
  assert.equal(ask(etag), "part");
  for (const other of ['W/"a"', '"b"', "a", "", "Sat, 29 Oct 1994 19:43:31 GMT"]) {
    assert.equal(ask(other), "whole", other);
  }
});

Deno.test("isKnownTag finds a tag in a list, weak ones too", () => {
  for (const header of ['"a"', 'W/"a"', '"b", "a"', "*"]) assert.ok(isKnownTag(header, etag));
  for (const header of [null, "", "a", '"b"', '"a', '"A"']) assert.ok(!isKnownTag(header, etag));
});

function parse(header: string | null, size = 10) {
  return parseRange(header, { size, etag, ifRange: null });
}
