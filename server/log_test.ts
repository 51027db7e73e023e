import assert from "node:assert/strict";
import { createLogger } from "./log.ts";

const token = "bkg_operator_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

Deno.test("createLogger redacts secrets by name and by shape, in every depth", () => {
  let text = "";
  const log = createLogger({ write: (line) => text += line, now: () => 0 });
  log.info(`key ${token} and Bearer abc.def`, {
    url: "http://me:hunter2@x/",
    nested: { apiKey: "k", list: [`x${token}`, { password: "p", promptTokens: 3 }] },
    error: new Error(`bad ${token}`),
  });
  assert.doesNotMatch(text, /AAAA|hunter2|abc\.def|"k"|"p"/);
  const line = JSON.parse(text);
  assert.equal(line.time, "1970-01-01T00:00:00.000Z");
  assert.equal(line.nested.list[1].promptTokens, 3);
  assert.match(line.error.stack, /log_test/);
});

Deno.test("createLogger holds back lines below its level and batches the rest until flush", () => {
  const writes: string[] = [];
  const log = createLogger({ write: (text) => writes.push(text), level: "info", batchMs: 60_000 });
  log.debug("no");
  log.info("one");
  log.child({ part: "x" }).warn("two");
  assert.equal(writes.length, 0);
  log.flush();
  assert.equal(writes.length, 1);
  assert.deepEqual(writes[0]!.trim().split("\n").map((line) => JSON.parse(line).message), [
    "one",
    "two",
  ]);
  log.error("now");
  assert.equal(writes.length, 2);
});

Deno.test("createLogger's pretty lines carry no control characters", () => {
  let text = "";
  const log = createLogger({ write: (line) => text += line, format: "pretty" });
  log.info("a\x1b[2Jb", { x: "\x07" });
  assert.doesNotMatch(text.slice(0, -1), /\p{Cc}/u);
});
