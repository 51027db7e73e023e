// What a kill and a full disk leave of an engine that was being added: it is whole or not there.

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type RegistryScene, startRegistry } from "../testing/package_registry.ts";
import { openEngineStore } from "./engine_store.ts";
import { folderName } from "./pins.ts";

const child = fileURLToPath(new URL("../testing/engine_child.ts", import.meta.url));
const kills = 20;

Deno.test("adding an engine, killed at 20 random moments: what a cell is given is whole, and at the end it is on", () =>
  withFolders(async ({ registry, dataDir, from }) => {
    const { pins } = registry;
    const errors: string[] = [];
    const open = () =>
      openEngineStore({ dataDir, pins, log: { error: (text) => errors.push(text) } });
    let longestMs = 400;
    for (let killed = 0; killed < kills; killed++) {
      const adder = start([dataDir, from, JSON.stringify(pins)]).spawn();
      const output = adder.stdout.pipeThrough(new TextDecoderStream()).getReader();
      assert.equal((await output.read()).value?.split("\n")[0], "begun");
      const waitMs = Math.random() * longestMs;
      const ended = await Promise.race([
        adder.status.then(() => true),
        new Promise<false>((resolve) => setTimeout(() => resolve(false), waitMs)),
      ]);
      // It was faster: the next are killed earlier.
      if (ended) longestMs *= 0.8;
      else adder.kill("SIGKILL");
      await output.cancel();
      await adder.status;
      const store = await open();
      // Digests are compared here; what the state names is what lies there.
      const whole = (await store.installed()).length;
      assert.equal(whole, store.isOn("cpu") ? 2 : 0);
      assert.deepEqual(errors, []);
      await store.sweep(new Map());
      const known = store.isOn("cpu") ? ["llama-cpu", "onnxruntime-cpu"] : [];
      const names = namesIn(join(dataDir, "engines")).filter((name) => /-cpu$/.test(name)).sort();
      assert.deepEqual(names, known);
      if (store.isOn("cpu")) {
        await store.turnOff("cpu");
        await store.removeUnused();
      }
    }
    const { stdout } = await start([dataDir, from, JSON.stringify(pins)]).output();
    assert.match(new TextDecoder().decode(stdout), /done$/m);
    assert.equal((await (await open()).installed()).length, 2);
  }));

Deno.test({
  name: "adding an engine: a disk that fills up says so, and with more space it goes on",
  ignore: !await canMount(),
  fn: () =>
    withFolders(async ({ registry, dataDir, from }) => {
      const args = start([]).args.concat([dataDir, from, JSON.stringify(registry.pins)]);
      const quoted = [Deno.execPath(), ...args].map((word) => `'${word}'`).join(" ");
      const script =
        `mount -t tmpfs -o size=6m none '${dataDir}' && ${quoted} && find '${dataDir}' -type d && ` +
        `mount -o remount,size=64m '${dataDir}' && ${quoted}`;
      const { stdout, stderr } = await new Deno.Command("unshare", {
        ...{ args: ["-rm", "sh", "-c", script], stdout: "piped", stderr: "piped" },
      }).output();
      const lines = new TextDecoder().decode(stdout).trim().split("\n");
      assert.deepEqual(
        lines.slice(0, 2),
        ["begun", "OUT_OF_DISK"],
        new TextDecoder().decode(stderr),
      );
      assert.ok(!lines.some((line) => line.endsWith("llama-cpu")), lines.join("\n"));
      assert.deepEqual(lines.slice(-2), ["begun", "done"]);
    }),
});

function start(args: readonly string[]) {
  const all = ["run", "-A", "--no-check", "--lock=deno.test.lock", child, ...args];
  const command = new Deno.Command(Deno.execPath(), {
    ...{ args: all, stdout: "piped", stderr: "null" },
  });
  return { args: all, spawn: () => command.spawn(), output: () => command.output() };
}

async function withFolders(
  test: (
    scene: { registry: RegistryScene; dataDir: string; from: string },
  ) => Promise<void>,
): Promise<void> {
  await using registry = await startRegistry({ bytes: 4_000_000 });
  const dataDir = await Deno.makeTempDir({ prefix: "bkg-engines-" });
  const from = await Deno.makeTempDir({ prefix: "bkg-packed-" });
  try {
    await registry.writeTo(from);
    assert.equal(folderName(registry.pins[0]!), "llama-cpu");
    await test({ registry, dataDir, from });
  } finally {
    await Deno.remove(dataDir, { recursive: true });
    await Deno.remove(from, { recursive: true });
  }
}

function namesIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch {
    return [];
  }
}

/** Whether a file system of one's own may be mounted here. */
async function canMount(): Promise<boolean> {
  if (Deno.build.os !== "linux") return false;
  const args = ["-rm", "mount", "-t", "tmpfs", "none", "/mnt"];
  try {
    return (await new Deno.Command("unshare", { args, stderr: "null" }).output()).success;
  } catch {
    return false;
  }
}
