import assert from "node:assert/strict";
import { AppError } from "../plugins/runtime/contract/error.ts";
import { formatSource, parseSource } from "./source.ts";

const refused: Record<string, [source: string, why: RegExp][]> = {
  "traversal and separators": [
    ["owner/..", /no name/],
    ["../etc:x", /must end/],
    ["owner/name/more", /more than "owner\/name"/],
    ["owner\\name", /no name/],
    ["owner/name:../../etc/passwd", /"\." or "\.\."/],
    ["owner/name:/etc/passwd", /empty part/],
    ["owner/name:a\\b.gguf", /holds/],
    ["owner/name:a//b.gguf", /empty part/],
    ["owner/name:a:b", /holds/],
    ["owner/name@../main", /revision/],
    ["owner/name@a//b", /revision/],
    ["owner/name@", /revision/],
    ["owner/name:", /1 to 512/],
    ["owner--x/name", /no name/],
    ["https://hub.test/owner/name/resolve/main/..%2f..%2fx.gguf", /encoded "\/"/],
    ["https://hub.test/owner/name/resolve/..%2f../x.gguf", /revision/],
    ["https://host.test/a%2fb.gguf", /holds "\/"/],
    ["https://host.test/a%5cb.gguf", /holds/],
    ["file:///a%2fb.gguf", /encoded separator/],
    ["file://host/a.gguf", /no local file/],
  ],
  "tricks of Unicode": [
    ["owner/na\u202eme", /invisible/],
    ["owner/name:Q8\u200b_0", /invisible/],
    ["owner/name:a\u0000.gguf", /invisible/],
    ["owner/name:．．／x.gguf", /stand for others/],
    ["owner/nаme", /no name/], // a Cyrillic letter
    ["https://host.test/%E2%80%AEx.gguf", /invisible/],
    ["https://host.test/%ff.gguf", /broken escape/],
    ["/folder/a\nb.gguf", /invisible/],
  ],
  "what is none": [
    ["", /empty/],
    ["   ", /empty/],
    ["name", /is not "owner\/name";/],
    ["model.gguf", /say "\.\/model\.gguf"/],
    ["ftp://host/x.gguf", /unknown scheme/],
    ["https://host.test/", /must end/],
    ["https://host.test/x.exe", /must end/],
    ["https://hub.test/datasets/name", /not the page of a model/],
    ["https://hub.test/owner/name/discussions", /not the page/],
    ["/folder/x.txt", /must end/],
    [`owner/${"n".repeat(97)}`, /no name/],
    [`owner/name:${"f".repeat(4096)}`, /more than 2048/],
    [`owner/name:${"f".repeat(201)}`, /more than 200/],
  ],
};

for (const [what, cases] of Object.entries(refused)) {
  Deno.test(`parseSource: refuses ${what}, and shows the forms`, () => {
    for (const [source, why] of cases) {
      assert.throws(() => parseSource(source, { endpoint: "https://hub.test" }), (error) => {
        assert.ok(error instanceof AppError && error.code === "INVALID_INPUT", source);
        assert.match(error.message, why);
        assert.match(error.message, /owner\/name:Q8_0/);
        assert.doesNotMatch(error.message, /[\p{C}\p{Zl}]/u);
        return true;
      }, source);
    }
  });
}

Deno.test("parseSource: never repeats a password or a signature", () => {
  for (
    const source of [
      "https://me:s3cret@host.test/x.gguf",
      "https://s3cret@host.test/x.gguf",
      "https://host.test/x.exe?token=s3cret",
    ]
  ) {
    assert.throws(
      () => parseSource(source),
      (error) =>
        error instanceof AppError && error.code === "INVALID_INPUT" &&
        !error.message.includes("s3cret"),
    );
  }
});

Deno.test("parseSource: reads each form", () => {
  const hub = (revision: string, variant?: string) => ({
    ...{ kind: "hub", repo: "Qwen/Qwen2-0.5B-Instruct-GGUF", revision, variant },
  });
  const name = "Qwen/Qwen2-0.5B-Instruct-GGUF";
  const cases: [string, unknown][] = [
    [name, hub("main")],
    [` ${name}:Q8_0\n`, hub("main", "Q8_0")],
    [`${name}@v1.0`, hub("v1.0")],
    [`${name}@refs/pr/1:sub/file.gguf`, hub("refs/pr/1", "sub/file.gguf")],
    [`hf.co/${name}:q4_k_m`, hub("main", "q4_k_m")],
    [`hf:${name}`, hub("main")],
    [`hf://${name}@main`, hub("main")],
    [`https://hub.test/x/${name}`, hub("main")],
    [`https://hub.test/x/${name}/tree/v1`, hub("v1")],
    [`https://hub.test/x/${name}/blob/main/a%20b.gguf`, hub("main", "a b.gguf")],
    [
      `https://hub.test/x/${name}/resolve/refs%2Fpr%2F1/a.gguf?download=1`,
      hub("refs/pr/1", "a.gguf"),
    ],
    ["https://host.test/a/b.gguf?sig=1#part", {
      kind: "url",
      url: "https://host.test/a/b.gguf?sig=1",
    }],
    ["http://host.test/b.onnx", { kind: "url", url: "http://host.test/b.onnx" }],
    ["./x.gguf", { kind: "file", path: "./x.gguf" }],
    ["/abs/x.gguf", { kind: "file", path: "/abs/x.gguf" }],
    ["file:///abs/my%20x.gguf", { kind: "file", path: "/abs/my x.gguf" }],
  ];
  for (const [source, expected] of cases) {
    assert.deepEqual(parseSource(source, { endpoint: "https://hub.test/x" }), expected, source);
  }
});

Deno.test("formatSource: writes what parseSource reads, without a query", () => {
  for (const text of ["o/n", "o/n:Q8_0", "o/n@v1:a/b.gguf", "/abs/x.gguf"]) {
    assert.equal(formatSource(parseSource(text)), text);
  }
  assert.equal(formatSource(parseSource("https://h.test/x.gguf?sig=s")), "https://h.test/x.gguf");
});
