import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { manifestPathOf } from "./model_id.ts";
import {
  digestOf,
  inFolder,
  makeManifest,
  makeModel,
  openLibrary,
  readNames,
  write,
} from "./testing_library.ts";

Deno.test("a process that is killed while it pulls and removes leaves garbage, never a broken model", async () => {
  await inFolder(async (folder) => {
    for (const afterMs of [0, 40, 130]) {
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", "--lock=deno.test.lock", churn, folder],
        cwd: fileURLToPath(new URL("../..", import.meta.url)),
        stdout: "piped",
      }).spawn();
      const reader = child.stdout.getReader();
      await reader.read();
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      child.kill("SIGKILL");
      assert.equal((await child.status).signal, "SIGKILL");
      await reader.cancel();
      const library = await openLibrary(folder, { now: () => Date.now() + 2 * hourMs });
      const models = await library.list();
      assert.deepEqual(await library.problems(), []);
      for (const { id } of models) {
        assert.ok((await library.verify(id)).every(({ ok }) => ok));
        assert.equal((await library.get(id)).files.length, 2);
      }
      await library.collectGarbage();
      const blobs = await Array.fromAsync(readNames(join(folder, ".own/models/blobs")));
      const named = models.flatMap(({ files }) => files.map(({ digest = "" }) => digest));
      assert.deepEqual(blobs.sort(), [...new Set(named)].map((d) => d.replace(":", "-")).sort());
    }
  });
});

Deno.test("list of 1,000 models of the store: cold, warm, and after a restart", async () => {
  await inFolder(async (folder) => {
    const own = join(folder, ".own/models");
    for (let at = 0; at < 1000; at++) {
      const model = makeModel(`${at}`);
      const id = `owner${at % 50}/name-${at >> 1}:${at % 2 === 0 ? "Q8_0" : "Q4_0"}`;
      const manifest = makeManifest(id, { "a.gguf": model });
      await write(own, {
        [`blobs/${digestOf(model).replace(":", "-")}`]: model,
        [`manifests/${manifestPathOf(id)}`]: JSON.stringify(manifest),
      });
    }
    const measure = async (list: () => Promise<unknown[]>) => {
      const began = performance.now();
      assert.equal((await list()).length, 1000);
      return `${(performance.now() - began).toFixed(1)} ms`;
    };
    const library = await openLibrary(folder);
    const cold = await measure(library.list);
    // Folders that were just written are looked into again.
    await new Promise((resolve) => setTimeout(resolve, 1600));
    await library.list();
    const warm = [await measure(library.list), await measure(library.list)];
    const restarted = await measure((await openLibrary(folder)).list);
    console.log(`1,000 models: cold ${cold}, warm ${warm.join(", ")}, restarted ${restarted}`);
    // Far above, for a machine that is busy; and each look sees what is there now.
    assert.ok(parseFloat(warm[1] ?? "") < 1000);
    await library.remove("owner0/name-0:Q8_0");
    assert.equal((await library.list()).length, 999);
  });
});

const hourMs = 3_600_000;
const churn = fileURLToPath(new URL("./testing_churn.ts", import.meta.url));
