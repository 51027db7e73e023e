// `bkg engine` and what `bkg doctor` says of engines, against a whole server and a registry on this machine.

import assert from "node:assert/strict";
import { join } from "node:path";
import { startComposed } from "../../testing/composed_server.ts";
import { stalling, startRegistry } from "../../testing/package_registry.ts";
import { terminal } from "./testing_terminal.ts";

Deno.test("bkg engine: mistakes on the command line are told, and nothing is asked of the server", async () => {
  const { bkg } = terminal(undefined);
  for (
    const [args, pattern] of [
      [["engine"], /needs one of: list, add, remove/],
      [["engine", "ad"], /did you mean "add"/],
      [["engine", "add"], /needs an ID: webgpu, cpu, vulkan, cuda/],
      [["engine", "add", "vulcan"], /There is no engine "vulcan"; did you mean "vulkan"/],
      [["engine", "remove", "all"], /There is no engine "all"/],
    ] as const
  ) {
    const { code, err } = await bkg(args);
    assert.equal(code, 2, args.join(" "));
    assert.match(err, pattern);
  }
});

Deno.test("bkg engine: an engine is added, shown, told of by the doctor, damaged, added again and removed", async () => {
  await using registry = await startRegistry();
  const dataDir = await Deno.makeTempDir({ prefix: "bkg-test-" });
  try {
    await using server = await startComposed(
      { NPM_CONFIG_REGISTRY: registry.url, BKG_PRIVATE_HOSTS: "127.0.0.1" },
      { dataDir, enginePins: registry.pins },
    );
    const { bkg } = terminal(server);
    const before = await bkg(["engine", "list"]);
    assert.match(before.out, /^cpu +off +\d+ kB to download +llama 1\.2\.3, onnxruntime 1\.2\.3/m);
    assert.match(before.out, /^webgpu +off +- +- +WebGPU$/m);
    assert.match(before.err, /^cuda: There is no native engine "cuda"/m);
    assert.match((await bkg(["doctor"])).out, /^ok +engines +WebAssembly alone/m);

    const added = await bkg(["engine", "add", "cpu"]);
    assert.deepEqual([added.code, added.out], [
      0,
      "Added cpu: llama 1.2.3, onnxruntime 1.2.3\n",
    ]);
    const again = await bkg(["engine", "add", "cpu"]);
    assert.deepEqual([again.code, /is on already/.test(again.err)], [0, true]);
    assert.equal((await bkg(["engine", "add", "webgpu"])).out, "Turned on webgpu\n");
    assert.match((await bkg(["engine", "list"])).out, /^cpu +on +\d+(?:\.\d)? kB on the disk/m);
    assert.match(
      (await bkg(["doctor"])).out,
      /^ok +engines +WebAssembly, webgpu, cpu \(llama 1\.2\.3, onnxruntime 1\.2\.3\)$/m,
    );

    await Deno.remove(join(dataDir, "engines/llama-cpu/package.json"));
    const damaged = await bkg(["doctor"]);
    assert.equal(damaged.code, 0);
    assert.match(damaged.out, /^warn +engine cpu +is not used: llama: "package\.json" is missing/m);
    assert.match((await bkg(["engine", "list"])).out, /^cpu +damaged/m);
    assert.equal((await bkg(["engine", "add", "cpu"])).code, 0);
    assert.match((await bkg(["engine", "list"])).out, /^cpu +on/m);

    assert.equal((await bkg(["engine", "remove", "cpu"])).out, "Removed cpu\n");
    const gone = await bkg(["engine", "remove", "cpu"]);
    assert.deepEqual([gone.code, /is not on/.test(gone.err)], [1, true]);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

Deno.test("bkg engine add --from: a folder's packages are taken offline", async () => {
  await using registry = await startRegistry();
  const from = await Deno.makeTempDir({ prefix: "bkg-packed-" });
  try {
    await using server = await startComposed({ BKG_OFFLINE: "1" }, { enginePins: registry.pins });
    const { bkg } = terminal(server);
    const offline = await bkg(["engine", "add", "cpu"]);
    assert.deepEqual([offline.code, /from a folder/.test(offline.err)], [1, true]);
    const empty = await bkg(["engine", "add", "cpu", "--from", from]);
    assert.equal(empty.code, 1);
    assert.match(empty.err, /There is no file "test-llama-cpu-1\.2\.3\.tgz" in the folder/);
    const { err } = await bkg(["engine", "list"]);
    assert.match(err, /^cpu: It could not be added from the folder$/m);
    await registry.writeTo(from);
    const added = await bkg(["engine", "add", "vulkan", "--from", from, "--json"]);
    assert.equal(added.code, 0, added.err);
    assert.equal((JSON.parse(added.out) as { status: string }).status, "on");
    assert.deepEqual(registry.asked, []);
  } finally {
    await Deno.remove(from, { recursive: true });
  }
});

Deno.test("bkg engine add: Ctrl-C pauses it, and the same command goes on with it", async () => {
  await using registry = await startRegistry({ bytes: 200_000 });
  registry.answer = (path) => stalling(registry.files.get(path)!, 90_000);
  await using server = await startComposed(
    { NPM_CONFIG_REGISTRY: registry.url, BKG_PRIVATE_HOSTS: "127.0.0.1" },
    { enginePins: registry.pins },
  );
  const paused = await terminal(server, { interruptAt: /B of/ }).bkg(["engine", "add", "cpu"]);
  assert.equal(paused.code, 130);
  assert.match(paused.err, /Paused; the same command goes on with it/);
  registry.answer = undefined;
  const done = await terminal(server).bkg(["engine", "add", "cpu"]);
  assert.equal(done.code, 0, done.err);
});
