import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { readGroupLimits } from "./control_group.ts";
import { createMachine } from "./machine.ts";

const noLimits = () => ({ memoryBytes: undefined, availableBytes: undefined, cores: undefined });
const noGpu = () => Promise.resolve([]);

Deno.test("createMachine tells what this machine really has", async () => {
  const dataDir = await Deno.makeTempDir();
  try {
    const facts = await createMachine({ dataDir, listAdapters: noGpu }).facts();
    assert.ok(facts.cores >= 1 && facts.cores <= navigator.hardwareConcurrency);
    assert.ok(facts.memoryBytes > 0 && facts.memoryBytes <= Deno.systemMemoryInfo().total);
    assert.ok(facts.availableBytes > 0 && facts.availableBytes <= facts.memoryBytes);
    assert.ok(facts.diskFreeBytes > 0 && facts.diskFreeBytes <= facts.diskTotalBytes);
    assert.deepEqual(facts.webgpu, { available: false });
    assert.equal(facts.os, Deno.build.os);
    assert.equal(facts.pluginMemoryBytes, undefined);
  } finally {
    await Deno.remove(dataDir);
  }
});

Deno.test("createMachine stays within its control group, and a part of a core counts as one", async () => {
  const readLimits = () => ({ memoryBytes: 512e6, availableBytes: 100e6, cores: 0.5 });
  const options = { dataDir: ".", listAdapters: noGpu, pluginMemoryBytes: () => 4e9, readLimits };
  const facts = await createMachine(options).facts();
  assert.equal(facts.memoryBytes, 512e6);
  assert.equal(facts.availableBytes, 100e6);
  assert.equal(facts.cores, 1);
  assert.equal(facts.pluginMemoryBytes, 4e9);
});

Deno.test("createMachine asks for GPUs once, and only when facts are wanted", async () => {
  let asked = 0;
  const listAdapters = () => {
    asked++;
    return Promise.resolve([
      { name: "llvmpipe (LLVM)", isSoftware: false },
      { name: "GeForce\u202e", isSoftware: false },
    ]);
  };
  const machine = createMachine({ dataDir: ".", readLimits: noLimits, listAdapters });
  assert.equal(asked, 0);
  const [first] = await Promise.all([machine.facts(), machine.facts()]);
  assert.equal(asked, 1);
  assert.equal(first.webgpu?.software, false);
  assert.match(first.webgpu?.adapter ?? "", /^GeForce/);
  assert.doesNotMatch(first.webgpu?.adapter ?? "", /\u202e/);
});

Deno.test("createMachine names a software adapter as one", async () => {
  const listAdapters = () => Promise.resolve([{ name: "SwiftShader Device", isSoftware: false }]);
  const { webgpu } = await createMachine({ dataDir: ".", listAdapters }).facts();
  assert.deepEqual(webgpu, { available: true, adapter: "SwiftShader Device", software: true });
});

Deno.test("createMachine knows nothing of a GPU whose driver crashed or talks nonsense", async () => {
  for (
    const listAdapters of [
      () => Promise.reject(new Error("lost")),
      () => Promise.resolve({ name: "no list" }),
    ]
  ) {
    const facts = await createMachine({ dataDir: ".", listAdapters }).facts();
    assert.equal(facts.webgpu, undefined);
    assert.ok(facts.cores >= 1);
  }
});

Deno.test("createMachine asks this program for GPUs in a process that ends", async () => {
  const { webgpu } = await createMachine({ dataDir: "." }).facts();
  // What the answer is depends on the machine; that there is one does not.
  assert.notEqual(webgpu, undefined);
});

Deno.test("readGroupLimits takes the tightest of version 2, and counts droppable files as free", async () => {
  await withGroups({
    list: "0::/outer/inner\n",
    "outer/inner/memory.max": "max",
    "outer/inner/cpu.max": "150000 100000",
    "outer/memory.max": "1000000",
    "outer/memory.current": "700000",
    "outer/memory.stat": "anon 400000\ninactive_file 200000\n",
    "outer/cpu.max": "max 100000",
  }, (places) => {
    assert.deepEqual(readGroupLimits(places), {
      memoryBytes: 1_000_000,
      availableBytes: 500_000,
      cores: 1.5,
    });
  });
});

Deno.test("readGroupLimits reads version 1, whose largest number means none", async () => {
  await withGroups({
    list: "4:memory:/own\n2:cpu,cpuacct:/own\n",
    "memory/own/memory.limit_in_bytes": "2000000\n",
    "memory/own/memory.usage_in_bytes": "2500000\n",
    "memory/memory.limit_in_bytes": "9223372036854771712\n",
    "cpu/own/cpu.cfs_quota_us": "-1\n",
    "cpu/own/cpu.cfs_period_us": "100000\n",
    "cpu/cpu.cfs_quota_us": "50000\n",
    "cpu/cpu.cfs_period_us": "100000\n",
  }, (places) => {
    assert.deepEqual(readGroupLimits(places), {
      memoryBytes: 2_000_000,
      availableBytes: 0,
      cores: 0.5,
    });
  });
});

Deno.test("readGroupLimits finds no limit where there are no groups", () => {
  const places = { listFile: "/nowhere/cgroup", root: "/nowhere" };
  assert.deepEqual(readGroupLimits(places), noLimits());
});

async function withGroups(
  files: Record<string, string>,
  test: (places: { listFile: string; root: string }) => void,
): Promise<void> {
  const root = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.mkdir(dirname(join(root, name)), { recursive: true });
      await Deno.writeTextFile(join(root, name), text);
    }
    test({ listFile: join(root, "list"), root });
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}
