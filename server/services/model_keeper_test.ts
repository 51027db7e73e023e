import assert from "node:assert/strict";
import { inFolder, openLibrary } from "../../models/store/testing_library.ts";
import { openTestDatabase } from "../testing/test_database.ts";
import { openJobs } from "./job_runner.ts";
import { createJobStore } from "./job_store.ts";
import { createModelKeeper } from "./model_keeper.ts";
import { createTrustedLibrary } from "./trusted_models.ts";

const notAsked = () => Promise.reject(new Error("not asked"));
const by = { userId: "ada", mayReadFiles: false };

Deno.test("createModelKeeper: a pull's own id is judged before anything is downloaded", () =>
  inFolder(async (folder) => {
    await using bench = await open(folder);
    for (const id of ["../../x", "a//b", "a／b", "e\u0301", "CON", "x".repeat(201), "a:b:c"]) {
      const asked = { source: "ada/model:Q8_0", id, update: false };
      await assert.rejects(bench.keeper.pull(asked, by), { code: "INVALID_INPUT" }, id);
    }
    assert.deepEqual(bench.jobs.list(), []);
  }));

Deno.test("createModelKeeper: a job with an input that nobody can read stands in nobody's way", () =>
  inFolder(async (folder) => {
    await using bench = await open(folder);
    for (const kind of ["model.pull", "model.verify"] as const) {
      await bench.jobs.add({ kind, title: "odd", input: { of: "another bkg" }, createdBy: "ada" });
    }
    const asked = { source: "ada/model:Q8_0", update: false };
    const { job, isNew } = await bench.keeper.pull(asked, by);
    assert.deepEqual([job.title, isNew], ["ada/model:Q8_0", true]);
    assert.equal((await bench.keeper.pull(asked, by)).job.id, job.id);
    await assert.rejects(bench.keeper.verify("none", "ada"), { code: "NOT_FOUND" });
  }));

/** Jobs that never begin. */
async function open(folder: string) {
  const database = await openTestDatabase();
  const library = createTrustedLibrary({ library: await openLibrary(folder), db: database.db });
  const failed = (error: unknown) => assert.fail(String(error));
  const idle = { concurrency: 1, run: notAsked };
  const jobs = await openJobs({
    store: createJobStore({ db: database.db, server: "here", failed }),
    kinds: { "model.pull": idle, "model.verify": idle, "engine.add": idle },
    failed,
  });
  const keeper = createModelKeeper({
    library,
    jobs,
    facts: notAsked,
    measureDisk: notAsked,
    catalog: [],
    offline: false,
    endpoint: "https://hub.test",
  });
  return {
    jobs,
    keeper,
    async [Symbol.asyncDispose]() {
      await jobs[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}
