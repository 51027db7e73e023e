import assert from "node:assert/strict";
import { ByteSource, exchange } from "./http1.ts";

const refused: Record<string, string> = {
  "another protocol": "SSH-2.0-x\r\n\r\n",
  "another version": "HTTP/2 200\r\n\r\n",
  "no status": "HTTP/1.1 OK\r\n\r\n",
  "an upgrade": "HTTP/1.1 101 Switching\r\n\r\n",
  "a header without a name": "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
  "a folded header": "HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n",
  "a header with a NUL": "HTTP/1.1 200 OK\r\na: b\0c\r\n\r\n",
  "a name with a space": "HTTP/1.1 200 OK\r\ncontent-length : 3\r\n\r\nabc",
  "bare line feeds": "HTTP/1.1 200 OK\ncontent-length: 3\n\nabc",
  "two lengths": "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
  "a length that is none": "HTTP/1.1 200 OK\r\ncontent-length: -3\r\n\r\nabc",
  "a length beyond all": `HTTP/1.1 200 OK\r\ncontent-length: ${"9".repeat(30)}\r\n\r\nabc`,
  "an unknown coding": "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
  "a chunk without a size": chunked("x\r\nabc\r\n0\r\n\r\n"),
  "a chunk of a negative size": chunked("-1\r\nabc\r\n0\r\n\r\n"),
  "a chunk of a size beyond all": chunked(`${"f".repeat(20)}\r\nabc`),
  "a chunk that is longer than it said": chunked("2\r\nabc\r\n0\r\n\r\n"),
  "a body that is cut off": "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc",
  "a chunk that is cut off": chunked("9\r\nabc"),
  "an end that is cut off": chunked("3\r\nabc\r\n0\r\n"),
  "a head that is cut off": "HTTP/1.1 200 OK\r\na: b\r\n",
  "a head without an end": `HTTP/1.1 200 OK\r\n${"a: b\r\n".repeat(20_000)}`,
  "a line without an end": `HTTP/1.1 200 OK\r\na: ${"b".repeat(100_000)}`,
  "trailers without an end": chunked(`0\r\n${"a: b\r\n".repeat(100)}\r\n`),
};
for (const [what, text] of Object.entries(refused)) {
  Deno.test(`exchange: refuses ${what}, however it is cut into pieces`, async () => {
    for (const pieceBytes of [1, 7, 100_000]) {
      await assert.rejects(read(text, pieceBytes), /./, `in pieces of ${pieceBytes}`);
    }
  });
}

Deno.test("exchange: reads bodies by length, by chunks and to the end, in pieces of any size", async () => {
  const cases: [text: string, body: string, isReusable: boolean][] = [
    ["HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", "abc", true],
    ["HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n", "", true],
    ["HTTP/1.1 204 No Content\r\n\r\n", "", true],
    ["HTTP/1.1 200 OK\r\nconnection: Close\r\ncontent-length: 3\r\n\r\nabc", "abc", false],
    ["HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nabc", "abc", false],
    ["HTTP/1.1 200 OK\r\n\r\nabc", "abc", false],
    [chunked("3;x=y\r\nabc\r\nA \r\n0123456789\r\n0\r\nt: v\r\n\r\n"), "abc0123456789", true],
    [
      "HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na",
      "a",
      true,
    ],
    [chunked("1\r\na\r\n0\r\n\r\n", "content-length: 5\r\n"), "a", false],
  ];
  for (const [text, body, isReusable] of cases) {
    for (const pieceBytes of [1, 2, 100_000]) {
      assert.deepEqual(await read(text, pieceBytes), { body, isReusable }, text);
    }
  }
});

Deno.test("exchange: sends what it is told, and nothing a URL could smuggle in", async () => {
  const sent: string[] = [];
  const url = new URL("https://host.test:8443/a b\r\nx: y?q=%0d%0a#part");
  await read("HTTP/1.1 204 No\r\n\r\n", 100, { url, sent });
  assert.equal(
    sent.join(""),
    "GET /a%20bx:%20y?q=%0d%0a HTTP/1.1\r\nhost: host.test:8443\r\naccept: */*\r\n\r\n",
  );
});

async function read(
  text: string,
  pieceBytes: number,
  { url = new URL("http://host.test/"), sent = [] as string[] } = {},
): Promise<{ body: string; isReusable: boolean }> {
  let left = new TextEncoder().encode(text);
  const source = new ByteSource({
    read(into) {
      if (left.length === 0) return Promise.resolve(null);
      const piece = left.subarray(0, Math.min(pieceBytes, into.length));
      into.set(piece);
      left = left.subarray(piece.length);
      return Promise.resolve(piece.length);
    },
    write(bytes) {
      sent.push(new TextDecoder().decode(bytes));
      return Promise.resolve(bytes.length);
    },
    close() {},
  });
  const response = await exchange(source, { url, headers: new Headers({ accept: "*/*" }) });
  let body = "";
  const buffer = new Uint8Array(5);
  for (let bytes = await response.read(buffer); bytes > 0; bytes = await response.read(buffer)) {
    body += new TextDecoder().decode(buffer.subarray(0, bytes));
  }
  return { body, isReusable: response.isReusable };
}

function chunked(body: string, more = ""): string {
  return `HTTP/1.1 200 OK\r\n${more}transfer-encoding: chunked\r\n\r\n${body}`;
}
