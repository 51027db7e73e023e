import assert from "node:assert/strict";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { Job } from "../../plugins/runtime/contract/job.ts";
import type { Api } from "../api/client.ts";
import type { LiveEvent, LiveListener, LiveState } from "../api/live.ts";
import { createJobs, mergeJob } from "./jobs.ts";
import { createNotifier } from "./observable.ts";

Deno.test("mergeJob: bytes never go back, and what is older changes nothing", () => {
  const known = job("a", { doneBytes: 50, updatedAtMs: 10 });
  assert.equal(mergeJob(known, job("a", { doneBytes: 60, updatedAtMs: 9 })), known);
  const restarted = mergeJob(known, job("a", { doneBytes: 20, step: "Checking", updatedAtMs: 11 }));
  assert.deepEqual([restarted.doneBytes, restarted.step], [50, "Checking"]);
  const done = job("a", { status: "done", updatedAtMs: 10 });
  assert.equal(mergeJob(done, job("a", { updatedAtMs: 10 })), done);
  // It was tried again.
  assert.equal(mergeJob(done, job("a", { updatedAtMs: 11 })).status, "running");
});

Deno.test("a list that was read before an event came does not undo the event", async () => {
  using page = openPage();
  const reading = page.jobs.load();
  page.tell(job("b", { doneBytes: 70, updatedAtMs: 20 }));
  page.tell(job("new", { updatedAtMs: 20, createdAtMs: 9 }));
  page.answer([job("b", { doneBytes: 10, updatedAtMs: 15 })]);
  await reading;
  assert.deepEqual(page.jobs.list?.map(({ id, doneBytes }) => [id, doneBytes]), [
    ["new", 0],
    ["b", 70],
  ]);
});

Deno.test("what the server forgot is gone after the next reading", async () => {
  using page = openPage();
  await page.read([job("a"), job("b")]);
  await page.read([job("b")]);
  assert.deepEqual(page.jobs.list?.map(({ id }) => id), ["b"]);
  assert.equal(page.jobs.byId("a"), undefined);
});

Deno.test("what was taken off the list is not brought back by an older reading", async () => {
  using page = openPage();
  await page.read([job("a", { status: "done" }), job("b")]);
  const reading = page.jobs.load();
  await page.jobs.forget("a");
  page.answer([job("a", { status: "done" }), job("b")]);
  await reading;
  page.tell(job("a", { status: "done", updatedAtMs: 9 }));
  assert.deepEqual(page.jobs.list?.map(({ id }) => id), ["b"]);
  // Another page took it off before.
  page.refuse(new AppError("NOT_FOUND", "There is no such job"));
  await page.jobs.forget("b");
  assert.deepEqual(page.jobs.list, []);
});

Deno.test("an end is told once, and not of what had ended before", async () => {
  using page = openPage();
  const ended: string[] = [];
  page.jobs.ended(({ id, status }) => ended.push(`${id} ${status}`));
  await page.read([job("old", { status: "done" }), job("a")]);
  page.tell(job("a", { status: "done", updatedAtMs: 5 }));
  page.tell(job("a", { status: "done", updatedAtMs: 5 }));
  page.tell(job("short", { status: "failed", updatedAtMs: 5 }));
  // It ended while the connection was away.
  await page.read([job("b", { updatedAtMs: 6 })]);
  await page.read([job("b", { status: "cancelled", updatedAtMs: 7 })]);
  assert.deepEqual(ended, ["a done", "short failed", "b cancelled"]);
});

Deno.test("who signs out leaves nothing behind, not even what was on its way", async () => {
  using page = openPage();
  await page.read([job("a")]);
  const reading = page.jobs.load();
  page.become({ kind: "closed" });
  await settle();
  assert.equal(page.jobs.list, undefined);
  page.answer([job("a")]);
  await reading;
  assert.equal(page.jobs.list, undefined);
});

Deno.test("a list that cannot be read says why, and keeps what was known", async () => {
  using page = openPage();
  await page.read([job("a")]);
  const reading = page.jobs.load();
  page.fail(new AppError("UNAVAILABLE", "The server cannot be reached"));
  await reading;
  assert.equal(page.jobs.error?.code, "UNAVAILABLE");
  assert.equal(page.jobs.list?.length, 1);
});

Deno.test("retry goes on with what failed, and begins anew what was cancelled", async () => {
  using page = openPage();
  await page.read([]);
  await page.jobs.retry(job("a", { status: "failed" }));
  await page.jobs.retry(job("a", { status: "cancelled", title: "owner/name:Q8_0" }));
  assert.deepEqual(page.sent, [
    ["POST", "/api/jobs/a/resume", undefined],
    ["POST", "/api/models/pull", { source: "owner/name:Q8_0", update: false }],
  ]);
  assert.equal(page.jobs.workingOn("owner/name")?.id, "sent");
});

function openPage() {
  const notifier = createNotifier();
  let listener: LiveListener | undefined;
  let state: LiveState = { kind: "open" };
  let asked = Promise.withResolvers<{ jobs: Job[] }>();
  const sent: unknown[][] = [];
  let refusal: unknown;
  const api: Pick<Api, "get" | "send"> = {
    get<Answer>() {
      asked = Promise.withResolvers();
      return asked.promise as Promise<Answer>;
    },
    send<Answer>(method: string, path: string, options: { body?: unknown } = {}) {
      sent.push([method, path, options.body]);
      if (refusal !== undefined) return Promise.reject(refusal);
      return Promise.resolve(job("sent") as Answer);
    },
  };
  const jobs = createJobs({
    api: api as Api,
    live: {
      subscribe: notifier.subscribe,
      get state() {
        return state;
      },
      follow(_query, follower) {
        listener = follower;
        return () => {};
      },
    },
  });
  const answer = (list: Job[]) => asked.resolve({ jobs: list });
  return {
    jobs,
    sent,
    answer,
    /** Whatever is sent from now on. */
    refuse: (error: unknown) => void (refusal = error),
    fail: (error: unknown) => asked.reject(error),
    async read(list: Job[]) {
      const reading = jobs.load();
      answer(list);
      await reading;
    },
    tell(job: Job) {
      listener?.event({ type: "jobs", seq: 1, payload: { job } } as LiveEvent);
    },
    become(next: LiveState) {
      state = next;
      notifier.notify();
    },
    [Symbol.dispose]: () => jobs[Symbol.dispose](),
  };
}

function job(id: string, part: Partial<Job> = {}): Job {
  return {
    id,
    kind: "model.pull",
    status: "running",
    title: "owner/name",
    doneBytes: 0,
    createdBy: "operator",
    createdAtMs: 1,
    updatedAtMs: 1,
    ...part,
  };
}

/** Until what is notified in a microtask was told. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
}
