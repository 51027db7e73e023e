import assert from "node:assert/strict";
import { StopStrings } from "./stop_strings.ts";

function cut(pieces: string[], stops: string[]): { text: string; stopped: boolean } {
  const finder = new StopStrings(stops);
  let text = "";
  for (const piece of pieces) {
    const step = finder.push(piece);
    text += step.text;
    if (step.stopped) return { text, stopped: true };
  }
  return { text: text + finder.flush(), stopped: false };
}

Deno.test("StopStrings cuts before a stop string that crosses pieces", () => {
  assert.deepEqual(cut(["a", "bc<", "/e", "nd>x"], ["</end>"]), { text: "abc", stopped: true });
});

Deno.test("StopStrings gives back what only looked like a stop string", () => {
  assert.deepEqual(cut(["ab<", "/e", "m>"], ["</end>"]), { text: "ab</em>", stopped: false });
  assert.deepEqual(cut(["ab</en"], ["</end>"]), { text: "ab</en", stopped: false });
});

Deno.test("StopStrings takes the earliest of several, and overlapping beginnings", () => {
  assert.deepEqual(cut(["one two"], ["two", "one"]), { text: "", stopped: true });
  assert.deepEqual(cut(["aa", "ab"], ["aab"]), { text: "a", stopped: true });
  assert.deepEqual(cut(["a", "a", "a", "b"], ["aab"]), { text: "a", stopped: true });
});

Deno.test("StopStrings shows at once what cannot begin a stop string", () => {
  const finder = new StopStrings(["END"]);
  assert.equal(finder.push("hello").text, "hello");
  assert.equal(finder.push(" E").text, " ");
  assert.equal(finder.push("x").text, "Ex");
});

Deno.test("StopStrings cuts between characters of several units", () => {
  assert.deepEqual(cut(["日", "本語🙂", "🙃x"], ["🙂🙃"]), { text: "日本語", stopped: true });
  assert.deepEqual(cut(["日本", "語"], ["本語"]), { text: "日", stopped: true });
  assert.deepEqual(cut(["🙂🙂"], ["🙂🙃"]), { text: "🙂🙂", stopped: false });
});
