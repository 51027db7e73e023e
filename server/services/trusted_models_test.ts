// Marks of trust on real files, a real library and a real database: what keeps one, and what ends it.

import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import {
  adopt,
  digestOf,
  inFolder,
  makeModel,
  openLibrary,
  write,
} from "../../models/store/testing_library.ts";
import { fingerprintOf } from "../../plugins/runtime/contract/file_fingerprint.ts";
import { externalTensor, makeOnnx, node } from "../../models/testing/onnx_file.ts";
import type { Db } from "../db/db.ts";
import { testOnEngines } from "../testing/database_engines.ts";
import { until } from "../testing/test_app.ts";
import { type JobRunner, openJobs } from "./job_runner.ts";
import { createJobStore } from "./job_store.ts";
import { createModelChecks } from "./model_checks.ts";
import { createModelKeeper } from "./model_keeper.ts";
import { createModelService } from "./model_service.ts";
import { createTrustedLibrary } from "./trusted_models.ts";

testOnEngines("createTrustedLibrary", async (t, db) => {
  const step = (name: string, run: (folder: string) => Promise<void>) =>
    t.step(name, async () => {
      await db.sql`delete from trusted_models`;
      await db.sql`delete from jobs`;
      await inFolder(run);
    });

  await step("nothing is trusted but what came with bkg and what was marked", async (folder) => {
    await write(folder, {
      "models/a.gguf": makeModel("a"),
      "models/b.gguf": makeModel("b"),
      "demo/demo.gguf": makeModel("demo"),
    });
    await using bench = await open(folder, db);
    assert.deepEqual(await bench.trusted(), ["demo"]);
    await bench.mark("A");
    assert.deepEqual(await bench.trusted(), ["a", "demo"]);
    await assert.rejects(bench.keeper.trust("none", "ada"), { code: "NOT_FOUND" });
    await assert.rejects(bench.keeper.distrust("none"), { code: "NOT_FOUND" });
    await assert.rejects(bench.keeper.distrust("demo"), { code: "CONFLICT" });
    assert.equal((await bench.keeper.distrust("A")).trusted, false);
    assert.deepEqual(await bench.trusted(), ["demo"]);
    assert.equal((await bench.library.get("a")).changedSinceTrusted, undefined);
  });

  await step(
    "a file that takes another's place, with its size and dates, is not trusted",
    async (folder) => {
      const path = join(folder, "models/a.gguf");
      const replaced = makeModel("b");
      await write(folder, { "models/a.gguf": makeModel("a"), "b.gguf": replaced });
      await using bench = await open(folder, db);
      await bench.mark("a");
      const { mtime } = await Deno.stat(path);
      await Deno.utime(join(folder, "b.gguf"), mtime!, mtime!);
      await Deno.rename(join(folder, "b.gguf"), path);
      assert.equal((await Deno.stat(path)).size, makeModel("a").length);
      await bench.expectChanged("a");
      assert.equal((await bench.library.get("a")).files[0]?.digest, digestOf(replaced));
    },
  );

  await step("a file that is written in place and dated back is not trusted", async (folder) => {
    const path = join(folder, "models/a.gguf");
    await write(folder, { "models/a.gguf": makeModel("a") });
    await using bench = await open(folder, db);
    await bench.mark("a");
    const { mtime } = await Deno.stat(path);
    // The clock that a writer cannot set counts seconds.
    await delay(1100);
    await Deno.writeFile(path, makeModel("b"));
    await Deno.utime(path, mtime!, mtime!);
    await bench.expectChanged("a");
    await Deno.writeFile(path, makeModel("a"));
    assert.equal(await bench.isOpenedTrusted("a"), true, "it is what it was again");
  });

  await step("a file that was only touched is read again when it is opened", async (folder) => {
    const path = join(folder, "models/a.gguf");
    await write(folder, { "models/a.gguf": makeModel("a") });
    await using bench = await open(folder, db);
    await bench.mark("a");
    await Deno.rename(path, `${path}.moved`);
    await Deno.copyFile(`${path}.moved`, path);
    await Deno.utime(path, 1e9, 1e9);
    const touched = await bench.library.get("a");
    assert.deepEqual([touched.trusted, touched.changedSinceTrusted], [false, true]);
    assert.equal(await bench.isOpenedTrusted("a"), true);
    assert.deepEqual(await bench.trusted(), ["a"]);
  });

  await step("a link of another program's store that is swapped ends the mark", async (folder) => {
    const repo = join(folder, "hub/models--ada--tiny");
    const [good, bad] = [makeModel("a"), makeModel("b")];
    const commit = "c".repeat(40);
    await write(repo, {
      "refs/main": commit,
      [`blobs/${digestOf(good).slice(7)}`]: good,
      [`blobs/${digestOf(bad).slice(7)}`]: bad,
    });
    const link = join(repo, "snapshots", commit, "tiny-Q8_0.gguf");
    await Deno.mkdir(join(link, ".."), { recursive: true });
    const point = (bytes: Uint8Array) =>
      Deno.symlink(join("../../blobs", digestOf(bytes as Uint8Array<ArrayBuffer>).slice(7)), link);
    await point(good);
    await using bench = await open(folder, db);
    const [id] = (await bench.library.list()).map(({ id }) => id);
    assert.match(id!, /^ada\/tiny/);
    await bench.mark(id!);
    await Deno.remove(link);
    await point(bad);
    // Until the place is looked at again the model is the file that was marked, by its own path.
    const { model, release } = await bench.library.open(id!);
    release();
    assert.deepEqual(await Deno.readFile(model.files[0]!.path), good);
    await bench.library.list();
    await bench.expectChanged(id!);
  });

  await step("of several files none may change", async (folder) => {
    const graph = [node("Add"), externalTensor({ location: "data", length: "32" })];
    await write(folder, {
      "models/m/m.onnx": makeOnnx({ graph }),
      "models/m/data": new Uint8Array(32),
    });
    await using bench = await open(folder, db);
    await bench.mark("m");
    assert.equal((await bench.library.get("m")).files.length, 2);
    await Deno.remove(join(folder, "models/m/data"));
    await write(folder, { "models/m/data": new Uint8Array(32).fill(1) });
    await bench.expectChanged("m");
  });

  await step(
    "a file that takes the id of a model that was marked is another model",
    async (folder) => {
      await using bench = await open(folder, db);
      const files = { "tiny.gguf": makeModel("a") };
      await bench.library.put(await adopt(bench.library, "ada/tiny", files));
      await bench.mark("ada/tiny");
      await bench.library.remove("ada/tiny");
      assert.deepEqual(await db.sql`select * from trusted_models`, [], "gone with its model");
      await bench.library.trust("tiny", [digestOf(files["tiny.gguf"])]);
      await write(folder, { "models/tiny.gguf": makeModel("b") });
      await bench.expectChanged("tiny");
    },
  );

  await step("a mark outlives a restart and the loss of the caches", async (folder) => {
    await write(folder, { "models/a.gguf": makeModel("a") });
    {
      await using bench = await open(folder, db);
      await bench.mark("a");
    }
    await Deno.remove(join(folder, ".own/cache"), { recursive: true });
    await using bench = await open(folder, db);
    assert.equal(await bench.isOpenedTrusted("a"), true);
  });

  await step("who marks at once waits for one job, and the mark is one", async (folder) => {
    await write(folder, { "models/a.gguf": makeModel("a") });
    await using bench = await open(folder, db, { started: false });
    const answers = await Promise.all(["a", "A", "a"].map((id) => bench.keeper.trust(id, "ada")));
    const jobs = new Set(answers.map((answer) => "job" in answer ? answer.job.id : "none"));
    assert.equal(jobs.size, 1);
    assert.ok(!jobs.has("none"));
    bench.jobs.start();
    await bench.ended([...jobs][0]!);
    assert.deepEqual(await bench.trusted(), ["a"]);
    await Promise.all([bench.mark("a"), bench.mark("a")]);
    assert.equal((await db.sql`select * from trusted_models`).length, 1);
    assert.equal((await bench.keeper.verify("a", "ada")).kind, "model.verify");
  });

  await step("what is read for a mark that was taken back is not marked", async (folder) => {
    await write(folder, { "models/a.gguf": makeModel("a") });
    await using bench = await open(folder, db, { started: false });
    const answer = await bench.keeper.trust("a", "ada");
    assert.ok("job" in answer);
    await bench.keeper.distrust("a");
    bench.jobs.start();
    assert.equal((await bench.ended(answer.job.id)).status, "cancelled");
    assert.deepEqual(await bench.trusted(), []);
  });

  await step("a file that was written just now is trusted when the job is done", async (folder) => {
    await write(folder, { "models/a.gguf": makeModel("a") });
    await using bench = await open(folder, db, { now: Date.now });
    await bench.mark("a");
    assert.deepEqual(await bench.trusted(), ["a"]);
  });
});

interface OpenOptions {
  /** Whether jobs run. */
  started?: boolean;
  /** By default a minute later, when what was just written is kept. */
  now?: () => number;
}

async function open(
  folder: string,
  db: Db,
  { started = true, now = () => Date.now() + 60_000 }: OpenOptions = {},
) {
  await Promise.all(
    ["models", "hub", "demo"].map((name) => Deno.mkdir(join(folder, name), { recursive: true })),
  );
  const library = createTrustedLibrary({
    library: await openLibrary(folder, {
      modelPaths: [join(folder, "models")],
      caches: [join(folder, "hub")],
      demoFolder: join(folder, "demo"),
      now,
    }),
    db,
  });
  const failed = (error: unknown) => assert.fail(String(error));
  const jobs: JobRunner = await openJobs({
    store: createJobStore({ db, server: "here", failed }),
    kinds: {
      "model.pull": { concurrency: 1, run: () => assert.fail("nothing is pulled") },
      "model.verify": createModelChecks({ library }),
      "engine.add": { concurrency: 1, run: () => assert.fail("no engine is added") },
    },
    failed,
  });
  if (started) jobs.start();
  const notAsked = () => assert.fail("not asked");
  const keeper = createModelKeeper({
    library,
    jobs,
    facts: notAsked,
    measureDisk: notAsked,
    catalog: [],
    offline: true,
    endpoint: "https://hub.test",
  });
  const service = createModelService(library);

  const ended = async (id: string) => {
    await until(() => !["queued", "running"].includes(jobs.get(id).status));
    return jobs.get(id);
  };
  /** As a plugin sees it. */
  const isOpenedTrusted = async (id: string) => {
    const opened = await service.open(id);
    opened.release();
    return opened.trusted;
  };
  return {
    library,
    jobs,
    keeper,
    ended,
    isOpenedTrusted,
    async trusted() {
      const listed = (await service.list()).filter(({ trusted }) => trusted).map(({ id }) => id);
      for (const id of listed) assert.equal(await isOpenedTrusted(id), true, id);
      return listed;
    },
    async mark(id: string) {
      const answer = await keeper.trust(id, "ada");
      if ("job" in answer) {
        const { status, error } = await ended(answer.job.id);
        assert.equal(status, "done", error?.message);
      }
      assert.equal(await isOpenedTrusted(id), true);
      const { files, release } = await service.open(id);
      release();
      for (const { path, fingerprint } of files) {
        assert.equal(fingerprint, fingerprintOf(await Deno.stat(path)), "the cell is told");
      }
    },
    async expectChanged(id: string) {
      const seen = await library.get(id);
      assert.deepEqual([seen.trusted, seen.changedSinceTrusted], [false, true], "listed");
      assert.equal(await isOpenedTrusted(id), false, "opened");
      const read = await library.get(id);
      assert.deepEqual([read.trusted, read.changedSinceTrusted], [false, true], "read");
    },
    [Symbol.asyncDispose]: () => jobs[Symbol.asyncDispose](),
  };
}
