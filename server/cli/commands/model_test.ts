// `bkg model` and the pull before `bkg run`, against a whole server and a hub on this machine.

import assert from "node:assert/strict";
import { join } from "node:path";
import { projectRoot } from "../../build/bundles.ts";
import { startComposed } from "../../testing/composed_server.ts";
import { startHub } from "../../testing/hub_server.ts";
import { terminal } from "./testing_terminal.ts";

const demo = join(projectRoot, "models/demo/demo-stories-q8_0.gguf");

Deno.test("bkg model: mistakes on the command line are told, and nothing is asked of the server", async () => {
  const { bkg } = terminal(undefined);
  for (
    const [args, pattern] of [
      [["model"], /needs one of: list, show, pull/],
      [["model", "pul"], /did you mean "pull"/],
      [["model", "pull"], /needs a SOURCE, such as owner\/name/],
      [["model", "rm"], /needs a MODEL/],
      [["model", "trust"], /needs a MODEL/],
      [["model", "gc", "--unused", "soon"], /is a number of days/],
    ] as const
  ) {
    const { code, err } = await bkg(args);
    assert.equal(code, 2, args.join(" "));
    assert.match(err, pattern);
  }
});

Deno.test("bkg model: a model is pulled, shown, verified, pinned and removed", async () => {
  await using hub = await startHub({
    files: { "Ada/stories-GGUF": { "stories-Q8_0.gguf": demo, "stories-Q4_K_M.gguf": demo } },
    license: "mit",
  });
  await using server = await startComposed({ HF_ENDPOINT: hub.url });
  const { bkg } = terminal(server);
  const id = "Ada/stories-GGUF:Q8_0";

  const misspelt = await bkg(["model", "pull", "ada/stories-gguf:q8_0"]);
  assert.equal(misspelt.code, 1);
  assert.match(misspelt.err, /did you mean "Ada\/stories-GGUF"/);
  const pull = await bkg(["model", "pull", id]);
  assert.equal(pull.code, 0, pull.err);
  assert.match(pull.err, /^Done 100 % .*\nPulled Ada\/stories-GGUF:Q8_0\n$/m);
  assert.ok(!pull.err.includes("\x1b"), "no terminal, no escapes");
  const again = await bkg(["model", "pull", id]);
  assert.deepEqual([again.code, /is here already/.test(again.err)], [0, true]);

  const list = await bkg(["model", "list"]);
  assert.match(list.out, /^Ada\/stories-GGUF:Q8_0 +chat +3\.1 MB +Q8_0 +3 M +pulled$/m);
  assert.match(list.out, /^demo-stories-q8_0 .*came with bkg$/m);
  const show = await bkg(["model", "show", "ada/stories-gguf"]);
  assert.match(show.out, /^license +mit$/m);
  assert.match(show.out, /^stories-Q8_0\.gguf +3\.1 MB +sha256:[0-9a-f]{64}$/m);
  const verify = await bkg(["model", "verify", id]);
  assert.match(verify.out, /^ok {2}stories-Q8_0\.gguf {2}3\.1 MB {2}sha256:/);

  assert.match((await bkg(["model", "pin", id])).out, /^Pinned Ada/);
  const refused = await bkg(["model", "rm", id]);
  assert.deepEqual([refused.code, /is pinned/.test(refused.err)], [1, true]);
  assert.match((await bkg(["model", "unpin", id])).out, /^Unpinned Ada/);
  assert.match((await bkg(["model", "rm", id])).out, /3\.1 MB are free again/);
  assert.equal((await bkg(["model", "show", id])).code, 1);
  assert.match((await bkg(["model", "gc", "--dry-run"])).out, /^Would remove 0 models/);
});

Deno.test("bkg model trust: a file of one's own is read, trusted, and not once it is another", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "bkg-test-" });
  try {
    const path = join(dataDir, "models/ada/mine.gguf");
    await Deno.mkdir(join(path, ".."), { recursive: true });
    await Deno.copyFile(demo, path);
    await using server = await startComposed({}, { dataDir });
    const { bkg } = terminal(server);
    const trusted = async () => /^trusted +(.+)$/m.exec((await bkg(["model", "show", "mine"])).out);

    assert.match((await bkg(["model", "list"])).out, /^mine .*a folder$/m);
    const { code, out, err } = await bkg(["model", "trust", "mine"]);
    assert.deepEqual([code, out], [0, "Trusted mine\n"], err);
    assert.match(err, /^Reading 100 % .*3\.1 MB of 3\.1 MB|^Done 100 %/m);
    assert.match((await bkg(["model", "list"])).out, /^mine .*a folder, trusted$/m);
    assert.equal((await trusted())?.[1], "yes: native engines may open it");
    assert.equal((await bkg(["model", "trust", "mine"])).out, "Trusted mine\n");

    const bytes = await Deno.readFile(path);
    bytes[bytes.length - 1]! ^= 1;
    await Deno.writeFile(`${path}.new`, bytes);
    await Deno.rename(`${path}.new`, path);
    assert.match((await bkg(["model", "list"])).out, /^mine .*changed since it was trusted$/m);
    assert.equal((await trusted())?.[1], "no: its files changed since it was");
    assert.equal((await bkg(["model", "untrust", "mine"])).out, "Untrusted mine\n");
    assert.equal((await trusted())?.[1], "no");
    const refused = await bkg(["model", "untrust", "demo-stories-q8_0"]);
    assert.deepEqual([refused.code, /came with bkg/.test(refused.err)], [1, true]);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

Deno.test("bkg model verify: a damaged file is named, and the exit code says so", async () => {
  await using hub = await startHub({ files: { "ada/stories": { "stories-Q8_0.gguf": demo } } });
  const dataDir = await Deno.makeTempDir({ prefix: "bkg-test-" });
  try {
    await using server = await startComposed({ HF_ENDPOINT: hub.url }, { dataDir });
    const { bkg } = terminal(server);
    await bkg(["model", "pull", "ada/stories"]);
    const digest = hub.digest("ada/stories", "stories-Q8_0.gguf").replace(":", "-");
    const path = join(dataDir, "models/blobs", digest);
    await Deno.chmod(path, 0o600);
    using file = await Deno.open(path, { write: true });
    await file.seek(-1, Deno.SeekMode.End);
    await file.write(new Uint8Array([255]));
    const verify = await bkg(["model", "verify", "ada/stories:Q8_0"]);
    assert.equal(verify.code, 1);
    assert.match(verify.out + verify.err, /DAMAGED|pull (?:it|ada\/stories:Q8_0) again/);
    assert.equal((await bkg(["run", "ada/stories:Q8_0", "hello"])).code, 1);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

Deno.test("bkg model pull: Ctrl-C pauses it, and the same command goes on with it", async () => {
  await using hub = await startHub({
    files: { "ada/stories": { "stories-Q8_0.gguf": demo } },
    bytesPerSecond: 1_000_000,
  });
  await using server = await startComposed({ HF_ENDPOINT: hub.url });
  const paused = await terminal(server, { interruptAt: /MB of/ }).bkg([
    ...["model", "pull", "ada/stories", "--json"],
  ]);
  assert.equal(paused.code, 130);
  const job = JSON.parse(paused.out) as { id: string; status: string; doneBytes: number };
  assert.equal(job.status, "paused");
  assert.match(paused.err, /Paused at .* of 3\.1 MB; the same command goes on with it/);
  const done = await terminal(server).bkg(["model", "pull", "ada/stories", "--json"]);
  const resumed = JSON.parse(done.out) as { id: string; status: string; doneBytes: number };
  assert.deepEqual([resumed.id, resumed.status], [job.id, "done"]);
  assert.ok(resumed.doneBytes >= job.doneBytes);
});

Deno.test("bkg run: pulls a model that is not here and chats; offline it says why not", async () => {
  await using hub = await startHub({ files: { "ada/stories": { "stories-Q8_0.gguf": demo } } });
  {
    await using server = await startComposed({ HF_ENDPOINT: hub.url });
    const { bkg } = terminal(server);
    const answer = await bkg(["run", "ada/stories:Q8_0", "Tell me a story", "--max-tokens", "12"]);
    assert.equal(answer.code, 0, answer.err);
    assert.match(answer.err, /is not here yet; pulling .*Pulled ada\/stories:Q8_0/s);
    assert.match(answer.out, /\w+ \w+/);
    const unknown = await bkg(["run", "nonsense", "hello"]);
    assert.deepEqual([unknown.code, /There is no model "nonsense"/.test(unknown.err)], [1, true]);
  }
  await using offline = await startComposed({ HF_ENDPOINT: hub.url, BKG_OFFLINE: "1" });
  const { code, err } = await terminal(offline).bkg(["run", "ada/stories:Q8_0", "hello"]);
  assert.equal(code, 1);
  assert.match(err, /BKG_OFFLINE is set: nothing is downloaded/);
});

Deno.test("bkg model list --catalog: names, memory and sources", async () => {
  await using server = await startComposed({ BKG_OFFLINE: "1" });
  const { out } = await terminal(server).bkg(["model", "list", "--catalog"]);
  assert.match(
    out,
    /^qwen2-0\.5b-instruct +chat +about [\d.]+ GB.* Qwen\/Qwen2-0\.5B-Instruct-GGUF:Q8_0$/m,
  );
});
