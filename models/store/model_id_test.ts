import assert from "node:assert/strict";
import { join, normalize } from "node:path";
import { maxModelIdChars } from "../model.ts";
import { checkModelId, isModelId, manifestPathOf, modelIdAt } from "./model_id.ts";

const refusedIds: Record<string, readonly string[]> = {
  "empty or cut": ["", "/", ":", "a/", "/a", "a:", ":a", "a//b", "a::b", "a/:b", "a/b/c", "a:b:c"],
  "a way out": [
    "..",
    ".",
    "../a",
    "a/..",
    "a/.",
    "./a",
    "a/../b",
    "..:a",
    "a:..",
    "a:.",
    ".a",
    "a/.b",
  ],
  "another separator": [
    "a\\b",
    "..\\a",
    "a\u2044b",
    "a\u2215b",
    "a\uff0fb",
    "a\u29f8b",
    "a\uff3cb",
  ],
  "another colon or dot": [
    "a\uff1ab",
    "a\u2236b",
    "a\ua789b",
    "\u2024\u2024/a",
    "\u2025/a",
    "\uff0e\uff0e",
  ],
  "control": ["a\0", "a\nb", "a\u001b[2J", "a\x7f", "a\u0085b", "\ud800", "a\u2028b"],
  "bidi or invisible": [
    "a\u202eb",
    "a\u200b",
    "\u2066a",
    "a\ufeff",
    "a\u00adb",
    "a\u034fb",
    "a\u115fb",
    "a\u3164b",
    "a\u2800b",
    "a\ufe0f",
    "a\u{e0041}b",
  ],
  "another space": ["a\u00a0b", "a\u3000b", "a\u2003b", "a\tb", " a", "a ", "a/ b", "a /b", "a: b"],
  "decomposed or compatible": [
    "u\u0308ber",
    "\ufb01le",
    "\uff21",
    "a\u00b2",
    "A\u030a/b",
    "\u0301a",
  ],
  "an option": ["-a", "--force", "-rf/a"],
  "reserved by Windows": ["con", "CON", "nul.gguf", "a/aux", "a:com1", "LPT9", "prn/x", "CONIN$"],
  "not of file names": ["a*", "a?", 'a"b', "a<b", "a>b", "a|b", "a.", "a/b.", "a:b."],
  "where another's manifest lies": [
    "_",
    "_/a",
    "_:a",
    "a.json",
    "a.json/b",
    "a/b.JSON",
    "a:b.json",
  ],
  "too long": [
    "n".repeat(maxModelIdChars + 1),
    "n".repeat(4096),
    `${"\u{1f600}".repeat(99)}a`,
    "../".repeat(1400),
    "a/".repeat(2048),
    "a ".repeat(2048),
  ],
};

const validIds: Record<string, string> = {
  "m": "m.json",
  "über modell": "über modell.json",
  "qwen2-0_5b-instruct-q8_0": "qwen2-0_5b-instruct-q8_0.json",
  "Qwen/Qwen2-0.5B-Instruct-GGUF:Q8_0": "Qwen/Qwen2-0.5B-Instruct-GGUF/Q8_0.json",
  "owner/name": "owner/name.json",
  "qwen2:0.5b": "_/qwen2/0.5b.json",
  "a_b/_c:_": "a_b/_c/_.json",
  "console (1)": "console (1).json",
  "日本語/モデル": "日本語/モデル.json",
};

for (const [what, ids] of Object.entries(refusedIds)) {
  Deno.test(`checkModelId refuses what is ${what}`, () => {
    for (const id of ids) {
      assert.equal(isModelId(id), false, JSON.stringify(id.slice(0, 100)));
      assert.throws(() => checkModelId(id), { code: "INVALID_INPUT" });
      assert.throws(() => manifestPathOf(id), { code: "INVALID_INPUT" });
    }
  });
}

Deno.test("manifestPathOf stays in its folder, and modelIdAt is its way back", () => {
  for (const [id, path] of Object.entries(validIds)) {
    assert.equal(manifestPathOf(id), path);
    assert.equal(modelIdAt(path), id);
    assert.ok(normalize(join("/store", path)).startsWith("/store/"));
    assert.ok(path.split("/").every((segment) => new TextEncoder().encode(segment).length <= 247));
  }
  for (const path of ["m", "a/b/c/d.json", "../m.json", "_/m.json", "_.json", ".json", "a/.json"]) {
    assert.equal(modelIdAt(path), undefined, path);
  }
});

Deno.test("manifestPathOf gives no two ids one path, and no path that is another's folder", () => {
  const names = ["a", "b", "a.b", "x_", "a b"];
  const ids = names.flatMap((one) => [
    one,
    ...names.flatMap((two) => [
      `${one}/${two}`,
      `${one}:${two}`,
      ...names.map((three) => `${one}/${two}:${three}`),
    ]),
  ]);
  const paths = ids.map(manifestPathOf);
  assert.equal(new Set(paths).size, ids.length);
  for (const path of paths) {
    assert.ok(paths.every((other) => !other.startsWith(`${path}/`)), path);
  }
});

Deno.test("isModelId decides in bounded time on any text", () => {
  const began = performance.now();
  for (const part of ["a", " ", "a ", "a/", "a:", "\u0308", "\u{1f600}", "(", "."]) {
    isModelId(part.repeat(1_000_000));
    isModelId(part.repeat(60));
    isModelId(`${part.repeat(60)}\n`);
  }
  assert.ok(performance.now() - began < 500);
});
