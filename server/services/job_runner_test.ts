import assert from "node:assert/strict";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { Job } from "../../plugins/runtime/contract/job.ts";
import type { Db } from "../db/db.ts";
import { testOnEngines } from "../testing/database_engines.ts";
import { until } from "../testing/test_app.ts";
import { type JobRunner, type JobRunnerOptions, openJobs } from "./job_runner.ts";
import { createJobStore } from "./job_store.ts";
import type { JobWork, RunningJob } from "./jobs.ts";

/** Work that ends when the test says so, and lets go when it is told to. */
function createWork(concurrency = 2) {
  const runs: (RunningJob & { end(result: unknown): void; fail(error: unknown): void })[] = [];
  const discarded: string[] = [];
  const work: JobWork = {
    concurrency,
    run(job) {
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      job.signal.addEventListener("abort", () => setTimeout(() => reject(job.signal.reason), 5));
      runs.push({ ...job, end: resolve, fail: reject });
      return promise;
    },
    discard(id) {
      discarded.push(id);
      return Promise.resolve();
    },
  };
  return { work, runs, discarded };
}

interface Bench extends AsyncDisposable {
  readonly jobs: JobRunner;
  readonly runs: ReturnType<typeof createWork>["runs"];
  readonly discarded: string[];
  readonly failures: unknown[];
  add(title?: string): Promise<Job>;
}

async function open(
  db: Db,
  { server = "here", ...options }: Partial<JobRunnerOptions> & { server?: string } = {},
): Promise<Bench> {
  const { work, runs, discarded } = createWork();
  const failures: unknown[] = [];
  const failed = (error: unknown) => void failures.push(error);
  const jobs = await openJobs({
    store: createJobStore({ db, server, failed }),
    kinds: {
      ...{ "model.pull": work, "model.verify": createWork(1).work },
      "engine.add": createWork(1).work,
    },
    failed,
    eventEveryMs: 20,
    ...options,
  });
  jobs.start();
  return {
    jobs,
    runs,
    discarded,
    failures,
    add: (title = "a/b") =>
      jobs.add({ kind: "model.pull", title, input: { source: title }, createdBy: "ada" }),
    [Symbol.asyncDispose]: () => jobs[Symbol.asyncDispose](),
  };
}

const statusOf = async (db: Db, id: string) =>
  (await db.sql`select status from jobs where id = ${id}`)[0]?.["status"];

testOnEngines("openJobs", async (t, db) => {
  const step = (name: string, run: () => Promise<void>) =>
    t.step(name, async () => {
      await db.sql`delete from jobs`;
      await run();
    });

  await step(
    "a job that fails tells why, keeps what it has, and goes on when resumed",
    async () => {
      await using bench = await open(db);
      const { id } = await bench.add();
      bench.runs[0]!.tell({ doneBytes: 70, totalBytes: 100 });
      bench.runs[0]!.fail(new AppError("UNAVAILABLE", "The hub is away\0"));
      await until(() => bench.jobs.get(id).status === "failed");
      assert.equal(bench.jobs.get(id).error?.code, "UNAVAILABLE");
      await assert.rejects(bench.jobs.pause(id), { code: "CONFLICT" });
      const resumed = await bench.jobs.resume(id);
      assert.deepEqual([resumed.status, resumed.error, resumed.doneBytes], [
        "running",
        undefined,
        70,
      ]);
      bench.runs[1]!.tell({ doneBytes: 30 });
      assert.equal(bench.jobs.get(id).doneBytes, 70);
      bench.runs[1]!.end({ modelId: "m" });
      await until(() => bench.jobs.get(id).status === "done");
      assert.deepEqual(bench.jobs.get(id).result, { modelId: "m" });
      assert.deepEqual(bench.discarded, []);
    },
  );

  await step("what was not meant for clients stays in the log", async () => {
    await using bench = await open(db);
    const { id } = await bench.add();
    bench.runs[0]!.fail(new TypeError("/secret/path"));
    await until(() => bench.jobs.get(id).status === "failed");
    assert.doesNotMatch(JSON.stringify(bench.jobs.get(id)), /secret/);
    assert.match(String(bench.failures[0]), /secret/);
  });

  await step("two run at once, the others wait in order", async () => {
    await using bench = await open(db);
    const ids: string[] = [];
    for (const title of ["one", "two", "three", "four"]) ids.push((await bench.add(title)).id);
    const statuses = () => ids.map((id) => bench.jobs.get(id).status);
    assert.deepEqual(statuses(), ["running", "running", "queued", "queued"]);
    bench.runs[1]!.end(null);
    await until(() => bench.runs.length === 3);
    assert.deepEqual(statuses(), ["running", "done", "running", "queued"]);
    await bench.jobs.cancel(ids[3]!);
    await bench.jobs.pause(ids[0]!);
    assert.deepEqual(statuses(), ["paused", "done", "running", "cancelled"]);
    assert.deepEqual(bench.jobs.list().map(({ title }) => title), ["four", "three", "two", "one"]);
    assert.deepEqual(
      bench.jobs.list({ status: ["paused", "done"], limit: 1 }).map(({ title }) => title),
      ["two"],
    );
    assert.deepEqual(bench.jobs.list({ createdBy: "bob" }), []);
  });

  await step(
    "pause keeps what there is, cancel removes it; both wait until it let go",
    async () => {
      await using bench = await open(db);
      const { id } = await bench.add();
      const paused = await bench.jobs.pause(id);
      assert.equal(paused.status, "paused");
      assert.ok(bench.runs[0]!.signal.aborted);
      assert.equal(await statusOf(db, id), "paused");
      assert.equal((await bench.jobs.pause(id)).status, "paused");
      assert.deepEqual(bench.discarded, []);
      // A resume that comes while it lets go.
      await bench.jobs.resume(id);
      const pausing = bench.jobs.pause(id);
      assert.equal((await bench.jobs.resume(id)).status, "running");
      await pausing;
      // A cancel is not undone by a pause that comes after it.
      const cancelling = bench.jobs.cancel(id);
      await bench.jobs.pause(id);
      assert.equal((await cancelling).status, "cancelled");
      assert.deepEqual(bench.discarded, [id]);
      for (const act of ["pause", "resume", "cancel"] as const) {
        await assert.rejects(bench.jobs[act](id), { code: "CONFLICT" }, act);
      }
      await bench.jobs.forget(id);
      assert.throws(() => bench.jobs.get(id), { code: "NOT_FOUND" });
      assert.equal(await statusOf(db, id), undefined);
    },
  );

  await step("one that is cancelled while it waits does not begin any more", async () => {
    const { work, runs } = createWork(1);
    const discarding = Promise.withResolvers<void>();
    await using bench = await open(db, {
      kinds: {
        ...{ "model.pull": { ...work, discard: () => discarding.promise } },
        ...{ "model.verify": work, "engine.add": work },
      },
    });
    await bench.add("first");
    const { id } = await bench.add("second");
    const cancelling = bench.jobs.cancel(id);
    const resuming = bench.jobs.resume(id);
    await assert.rejects(resuming, { code: "CONFLICT" });
    runs[0]!.end(null);
    await until(() => bench.jobs.list({ status: ["done"] }).length === 1);
    discarding.resolve();
    assert.equal((await cancelling).status, "cancelled");
    assert.equal(runs.length, 1);
  });

  await step(
    "what an older or newer bkg left in the table keeps no server from starting",
    async () => {
      let id: string;
      {
        await using bench = await open(db);
        ({ id } = await bench.add("good"));
        const { id: odd } = await bench.add("odd kind");
        const { id: shapeless } = await bench.add("odd error");
        await bench.jobs.stop();
        await db.sql`update jobs set kind = 'model.convert' where id = ${odd}`;
        await db.sql`update jobs set error = '"broken"' where id = ${shapeless}`;
      }
      await using again = await open(db);
      assert.deepEqual(again.jobs.list().map(({ id }) => id), [id]);
      assert.equal(again.failures.length, 2);
      const [{ count } = {}] = await db.sql`select count(*) as count from jobs`;
      assert.equal(Number(count), 3);
    },
  );

  await step("one that is done before it lets go stays done", async () => {
    await using bench = await open(db);
    const { id } = await bench.add();
    const cancelling = bench.jobs.cancel(id);
    bench.runs[0]!.end("whole");
    assert.equal((await cancelling).status, "done");
    assert.deepEqual(bench.discarded, []);
  });

  await step("a restart: what ran or waited goes on, what was paused stays", async () => {
    let first: Job[];
    {
      await using bench = await open(db);
      first = [await bench.add("one"), await bench.add("two"), await bench.add("three")];
      bench.runs[0]!.tell({ doneBytes: 5, totalBytes: 9, modelId: "m" });
      bench.runs[0]!.remember({ source: "one", revision: "abc" });
      await bench.jobs.pause(first[1]!.id);
      await bench.jobs.stop();
      assert.ok(bench.runs.every(({ signal }) => signal.aborted));
      assert.deepEqual(
        first.map(({ id }) => bench.jobs.get(id).status),
        ["queued", "paused", "queued"],
      );
    }
    await using again = await open(db);
    assert.deepEqual(
      first.map(({ id }) => again.jobs.get(id).status),
      ["running", "paused", "running"],
    );
    assert.deepEqual(again.runs[0]!.input, { source: "one", revision: "abc" });
    const { doneBytes, totalBytes, modelId } = again.jobs.get(first[0]!.id);
    assert.deepEqual([doneBytes, totalBytes, modelId], [5, 9, "m"]);
    // Another server on the same database has jobs of its own.
    await using other = await open(db, { server: "there" });
    assert.deepEqual(other.jobs.list(), []);
    assert.equal(other.runs.length, 0);
  });

  await step("a kill: what the database last heard goes on", async () => {
    await using killed = await open(db, { writeEveryMs: 10 });
    const { id } = await killed.add();
    killed.runs[0]!.tell({ doneBytes: 5 });
    await until(() => killed.runs.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(await statusOf(db, id), "running");
    await using again = await open(db);
    assert.deepEqual([again.jobs.get(id).status, again.jobs.get(id).doneBytes], ["running", 5]);
  });

  await step("work that does not let go does not keep the server", async () => {
    const stuck: JobWork = { concurrency: 1, run: () => new Promise(() => {}) };
    const bench = await open(db, {
      kinds: { "model.pull": stuck, "model.verify": stuck, "engine.add": stuck },
      stopMs: 20,
    });
    const { id } = await bench.add();
    await bench[Symbol.asyncDispose]();
    assert.equal(await statusOf(db, id), "queued");
    // What a person wanted of it meanwhile holds.
    for (const [verb, status] of [["pause", "paused"], ["cancel", "cancelled"]] as const) {
      await db.sql`delete from jobs`;
      const bench = await open(db, {
        kinds: { "model.pull": stuck, "model.verify": stuck, "engine.add": stuck },
        stopMs: 20,
      });
      const { id } = await bench.add();
      void bench.jobs[verb](id);
      await bench[Symbol.asyncDispose]();
      assert.equal(await statusOf(db, id), status);
    }
  });

  await step("events: as it is at once, few in a second, never back, and the end", async () => {
    await using bench = await open(db, { eventEveryMs: 50 });
    const seen: Job[] = [];
    bench.jobs.watch((job) => seen.push(job));
    const { id } = await bench.add();
    const followed: Job[] = [];
    const following = (async () => {
      const jobs = bench.jobs.follow(id, new AbortController().signal);
      while (true) {
        const { done, value } = await jobs.next();
        followed.push(value);
        if (done) return value;
      }
    })();
    const startMs = performance.now();
    for (let doneBytes = 1; performance.now() - startMs < 300; doneBytes++) {
      bench.runs[0]!.tell({ doneBytes: doneBytes % 50, totalBytes: 50 });
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    bench.runs[0]!.end(null);
    assert.equal((await following).status, "done");
    assert.equal(seen.at(-1)?.status, "done");
    assert.ok(seen.length >= 3 && seen.length <= 10, String(seen.length));
    for (const jobs of [seen, followed]) {
      const done = jobs.map(({ doneBytes }) => doneBytes);
      assert.deepEqual(done, done.toSorted((a, b) => a - b));
      const atMs = jobs.map(({ updatedAtMs }) => updatedAtMs);
      assert.deepEqual(atMs, atMs.toSorted((a, b) => a - b));
    }
  });

  await step("a follower ends with the server, and with its own signal", async () => {
    await using bench = await open(db);
    const { id } = await bench.add();
    const leaving = new AbortController();
    const left = bench.jobs.follow(id, leaving.signal);
    const stopped = bench.jobs.follow(id, new AbortController().signal);
    await Promise.all([left.next(), stopped.next()]);
    const ends = [
      assert.rejects(left.next(), { code: "CANCELLED" }),
      assert.rejects(stopped.next(), { code: "UNAVAILABLE" }),
    ];
    leaving.abort(new AppError("CANCELLED", "gone"));
    await ends[0];
    await bench.jobs.stop();
    await ends[1];
  });

  await step("old ends are forgotten, and too many wait for nothing", async () => {
    let nowMs = 1000;
    await using bench = await open(db, {
      maxEnded: 2,
      maxAgeMs: 100,
      maxLive: 2,
      now: () => nowMs,
    });
    const { id: kept } = await bench.add("kept");
    await bench.jobs.pause(kept);
    const ended: string[] = [];
    for (let index = 0; index < 3; index++) {
      nowMs++;
      const { id } = await bench.add(`ended ${index}`);
      ended.push(id);
      await assert.rejects(bench.add(), { code: "QUEUE_FULL" });
      bench.runs.at(-1)!.fail(new AppError("NOT_FOUND", "no"));
      await until(() => bench.jobs.list({ status: ["failed"] }).length === Math.min(index + 1, 2));
    }
    await until(() => bench.discarded.length === 1);
    assert.deepEqual(bench.discarded, [ended[0]]);
    nowMs += 1000;
    await bench.add("last");
    bench.runs.at(-1)!.end(null);
    await until(() => bench.jobs.list({ status: ["failed"] }).length === 0);
    assert.deepEqual(bench.jobs.list().map(({ title }) => title), ["last", "kept"]);
    await until(() => bench.discarded.length === 3);
  });
});

Deno.test("openJobs: a database that is away refuses a new job, and is told of others later", async () => {
  let isAway = false;
  const written = new Map<string, string>();
  const bench = await open({} as Db, {
    writeEveryMs: 10,
    store: {
      load: () => Promise.resolve([]),
      put(job) {
        if (isAway) return Promise.reject(new AppError("UNAVAILABLE", "away"));
        written.set(job.id, job.status);
        return Promise.resolve();
      },
      delete: () => Promise.resolve(),
    },
  });
  const { id } = await bench.add();
  isAway = true;
  await assert.rejects(bench.add(), { code: "UNAVAILABLE" });
  assert.equal(bench.jobs.list().length, 1);
  bench.runs[0]!.end(null);
  await until(() => bench.jobs.get(id).status === "done");
  assert.equal(written.get(id), "running");
  isAway = false;
  await until(() => written.get(id) === "done");
  await bench[Symbol.asyncDispose]();
});
