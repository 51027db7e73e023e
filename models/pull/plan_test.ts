import assert from "node:assert/strict";
import { startHub } from "../../server/testing/hub_server.ts";
import type { Hub, HubOptions } from "../../server/testing/hub_server.ts";
import type { HubFault } from "../../server/testing/hub_server_faults.ts";
import { parseSource } from "../source.ts";
import { createPullNetwork } from "./network.ts";
import { planPull, type PullPlan } from "./plan.ts";
import { refusal, testLimits } from "../../server/testing/pull_fixture.ts";

const repo = "owner/name";
const few = new Uint8Array(10);

Deno.test("planPull: says what is wrong with a name, and what could be meant", async () => {
  await using hub = await startWith(["m-q8_0.gguf", "m-Q4_K_M.gguf"], { gated: [] });
  const cases: [string, string, RegExp][] = [
    ["owner/nam", "NOT_FOUND", /did you mean "owner\/name"\?; if it is private, set HF_TOKEN/],
    ["other/xyz", "NOT_FOUND", /no model "other\/xyz": if it is private/],
    ["owner/name@v9", "NOT_FOUND", /no revision "v9"/],
    ["owner/name:Q2_K", "NOT_FOUND", /no "Q2_K": it has "Q8_0", "Q4_K_M"/],
    ["owner/name:gone.gguf", "NOT_FOUND", /it has/],
  ];
  for (const [source, code, message] of cases) {
    await assert.rejects(plan(hub, source), refusal(code, message), source);
  }
  await assert.rejects(plan(hub, repo, { id: "../x" }), refusal("INVALID_INPUT", /no id/));
});

Deno.test("planPull: a gated repository says what to do, and opens with the token", async () => {
  await using hub = await startWith(["m-q8_0.gguf"], { gated: [repo], token: "s3cret" });
  await assert.rejects(plan(hub, repo), refusal("FORBIDDEN", /accept its terms.*set HF_TOKEN/));
  await assert.rejects(plan(hub, repo, { token: "wrong" }), (error) => {
    assert.ok(error instanceof Error && !error.message.includes("wrong"));
    return refusal("FORBIDDEN", /with the account/)(error);
  });
  assert.equal((await plan(hub, repo, { token: "s3cret" })).id, `${repo}:Q8_0`);
});

const hostile: Record<string, { faults: HubFault[]; message: RegExp }> = {
  'a digest with "../"': {
    faults: [{ kind: "oid", oid: "../".repeat(21) + "a" }],
    message: /lfs\.oid/,
  },
  "a size below zero": {
    faults: [{ kind: "json", body: tree({ size: -1 }), after: 1 }],
    message: /size/,
  },
  "a size beyond all": {
    faults: [{ kind: "json", body: tree({ size: 1e300 }), after: 1 }],
    message: /size/,
  },
  "no JSON": { faults: [{ kind: "json", body: "<html>" }], message: /no list of files/ },
  "a commit that is a path": {
    faults: [{ kind: "json", body: JSON.stringify({ sha: "../../x", lastModified: 0 }) }],
    message: /sha/,
  },
};
for (const [what, { faults, message }] of Object.entries(hostile)) {
  Deno.test(`planPull: refuses a hub that answers with ${what}`, async () => {
    await using hub = await startWith(["m-q8_0.gguf"]);
    for (const fault of faults) hub.setFault(fault);
    await assert.rejects(plan(hub, repo), refusal("UNAVAILABLE", message));
  });
}

Deno.test("planPull: an answer without an end, and a list without one, are cut off", async () => {
  await using hub = await startWith(["m-q8_0.gguf"]);
  const endless = () =>
    new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
    });
  hub.setFault({ kind: "json", body: endless(), times: 1 });
  await assert.rejects(plan(hub, repo), refusal("PAYLOAD_TOO_LARGE"));
  await using many = await startWith(
    Array.from({ length: 300 }, (_, index) => `${index}.gguf`),
    { pageSize: 1 },
  );
  await assert.rejects(plan(many, repo), refusal("UNAVAILABLE", /pages/));
});

Deno.test("planPull: names that could leave the folder or deceive are no candidates", async () => {
  const names = ["../m-q8_0.gguf", "a/../../m-q4_0.gguf", "m\u202e-q5_0.gguf", "/etc/m-q6_k.gguf"];
  await using hub = await startWith([...names, "m-f16.gguf"]);
  const { files } = await plan(hub, repo);
  assert.deepEqual(files.map(({ name }) => name), ["m-f16.gguf"]);
});

Deno.test("planPull: offline it fails at once", async () => {
  await using hub = await startWith(["m-q8_0.gguf"]);
  await assert.rejects(plan(hub, repo, { offline: true }), refusal("UNAVAILABLE", /BKG_OFFLINE/));
  assert.equal(hub.requests.length, 0);
});

Deno.test("planPull: chooses among what there is, and links are tied to the commit", async () => {
  const onnx = ["onnx/model.onnx", "onnx/model_quantized.onnx", "onnx/model_fp16.onnx"];
  const gguf = ["m-Q4_K_M.gguf", "m-q8_0.gguf", "mmproj-m-q8_0.gguf", "imatrix.gguf"];
  const split = ["b/m-F16-00002-of-00002.gguf", "b/m-F16-00001-of-00002.gguf"];
  const cases: [files: string[], asked: string, id: string, chosen: string[]][] = [
    [gguf, "", ":Q8_0", ["m-q8_0.gguf"]],
    [gguf, ":q4_k_m", ":Q4_K_M", ["m-Q4_K_M.gguf"]],
    [gguf, ":m-Q4_K_M.gguf", ":Q4_K_M", ["m-Q4_K_M.gguf"]],
    [["m-UD-Q4_K_M.gguf", "m-F16.gguf"], ":Q4_K_M", ":UD-Q4_K_M", ["m-UD-Q4_K_M.gguf"]],
    [["other.gguf"], "", "", ["other.gguf"]],
    [split, "", ":F16", split.toReversed()],
    [[...split, "m-q8_0.gguf"], ":b/m-F16-00001-of-00002.gguf", ":F16", split.toReversed()],
    [["a-q8_0.gguf", "b-q8_0.gguf"], ":b-q8_0.gguf", ":b-q8_0", ["b-q8_0.gguf"]],
    [[...gguf, ...onnx], ":fp16", ":fp16", ["onnx/model_fp16.onnx"]],
    [
      [...onnx, "tokenizer.json", "config.json", "README.md"],
      ...["", ":quantized"] as const,
      ["onnx/model_quantized.onnx", "tokenizer.json", "config.json"],
    ],
    [
      ["onnx/model.onnx", "onnx/model.onnx_data", "onnx/model.onnx_data_1", "config.json"],
      ...["", ""] as const,
      ["onnx/model.onnx", "onnx/model.onnx_data", "onnx/model.onnx_data_1", "config.json"],
    ],
    [
      ["onnx/encoder_model.onnx", "onnx/decoder_model.onnx", "onnx/decoder_model_merged.onnx"],
      ...["", ""] as const,
      ["onnx/encoder_model.onnx", "onnx/decoder_model_merged.onnx"],
    ],
    [
      ["model-00002-of-00002.safetensors", "model-00001-of-00002.safetensors", "config.json"],
      ...["", ""] as const,
      ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "config.json"],
    ],
  ];
  for (const [files, asked, id, chosen] of cases) {
    await using hub = await startWith(files);
    const found = await plan(hub, repo + asked);
    assert.equal(found.id, repo + id, `${files}`);
    assert.deepEqual(found.files.map(({ name }) => name), chosen);
    assert.equal(found.revision, hub.commit);
    for (const { url } of found.files) assert.ok(url.includes(`/resolve/${hub.commit}/`));
  }
});

Deno.test("planPull: a choice that is open is put to the person", async () => {
  await using hub = await startWith(["a-q8_0.gguf", "b-q8_0.gguf"]);
  await assert.rejects(
    plan(hub, `${repo}:Q8_0`),
    refusal("NOT_FOUND", /it has "a-q8_0", "b-q8_0"/),
  );
  await using none = await startWith(["README.md"]);
  await assert.rejects(plan(none, repo), refusal("NOT_FOUND", /no GGUF, ONNX or safetensors/));
  await using half = await startWith(["m-F16-00001-of-00002.gguf"]);
  await assert.rejects(plan(half, repo), refusal("NOT_FOUND"));
});

Deno.test("planPull: knows sizes, digests, licence and task, over all pages of the list", async () => {
  const files = ["a.txt", "b.txt", "config.json", "onnx/model.onnx"];
  await using hub = await startWith(files, {
    ...{ pageSize: 1, license: "apache-2.0", pipelineTag: "feature-extraction" },
  });
  const found = await plan(hub, `${repo}@main`);
  assert.deepEqual([found.license, found.task, found.source], ["apache-2.0", "embedding", repo]);
  assert.deepEqual(found.files.map(({ size, digest, gitOid }) => [size, digest, typeof gitOid]), [
    [10, hub.digest(repo, "onnx/model.onnx"), "undefined"],
    [10, undefined, "string"],
  ]);
});

Deno.test("planPull: of a URL it asks for a byte, and tells the size", async () => {
  await using hub = await startWith(["my m.gguf"]);
  const found = await plan(hub, `${hub.cdnUrl}/${repo}/my%20m.gguf?signature=s3cret`);
  assert.equal(found.id, "my m");
  assert.ok(!found.source.includes("s3cret"));
  assert.equal(found.files[0]?.size, 10);
  hub.setFault({ kind: "noRanges", length: false });
  const unknown = await plan(hub, `${hub.cdnUrl}/${repo}/my%20m.gguf`);
  assert.equal(unknown.files[0]?.size, undefined);
});

function startWith(names: string[], options: Partial<HubOptions> = {}): Promise<Hub> {
  const contents = Object.fromEntries(names.map((name) => [name, few]));
  return startHub({ files: { [repo]: contents }, ...options });
}

function plan(
  hub: Hub,
  source: string,
  options: { id?: string; token?: string; offline?: boolean } = {},
): Promise<PullPlan> {
  const { id, token, offline = false } = options;
  const network = createPullNetwork({
    ...{ offline, endpoint: hub.url, allowedPrivateHosts: [], limits: testLimits },
    ...(token === undefined ? {} : { token }),
  });
  const { signal } = new AbortController();
  return planPull(parseSource(source, { endpoint: hub.url }), network, {
    ...{ signal, ...(id === undefined ? {} : { id }) },
  });
}

function tree(entry: Record<string, unknown>): string {
  return JSON.stringify([{ type: "file", path: "m-q8_0.gguf", oid: "0", ...entry }]);
}
