import assert from "node:assert/strict";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { Job } from "../../plugins/runtime/contract/job.ts";
import type { Api } from "../api/client.ts";
import type { Live, LiveListener } from "../api/live.ts";
import { createJobs } from "./jobs.ts";
import { createWelcomePulls } from "./welcome_pulls.ts";

const source = "owner/name:Q8_0";

function jobOf(changes: Partial<Job> = {}): Job {
  return {
    id: "one",
    kind: "model.pull",
    status: "running",
    title: source,
    doneBytes: 0,
    createdBy: "admin",
    createdAtMs: 1,
    updatedAtMs: 1,
    ...changes,
  };
}

/** The page's stores on a server that answers `answers` in turn. */
function openPulls(answers: (Job | AppError)[]) {
  const asked: string[] = [];
  const chats: string[] = [];
  let tell = (_job: Job) => {};
  const api = {
    get: () => Promise.resolve({ jobs: [] }),
    send(method: string, path: string) {
      asked.push(`${method} ${path}`);
      const answer = answers.shift();
      return answer instanceof AppError ? Promise.reject(answer) : Promise.resolve(answer);
    },
  } as unknown as Api;
  const live = {
    state: { kind: "open" },
    subscribe: () => () => {},
    follow(_query: unknown, listener: LiveListener) {
      tell = (job) => listener.event({ type: "jobs", seq: 1, payload: { job } } as never);
      return () => {};
    },
  } as unknown as Live;
  const pulls = createWelcomePulls({
    jobs: createJobs({ api, live }),
    chat: (modelId) => chats.push(modelId),
  });
  return { pulls, asked, chats, tell: (changes: Partial<Job>) => tell(jobOf(changes)) };
}

Deno.test("welcome pulls: what the server refuses is told, and asked for anew when it is tried again", async () => {
  const full = new AppError("OUT_OF_DISK", "The disk is full");
  const { pulls, asked, chats } = openPulls([full, jobOf()]);
  await pulls.begin(source);
  const state = pulls.state(source);
  assert.equal(state.kind === "refused" && state.error.code, "OUT_OF_DISK");
  await pulls.begin(source);
  assert.equal(pulls.state(source).kind, "job");
  assert.deepEqual(asked, Array(2).fill("POST /api/models/pull"));
  assert.deepEqual(chats, []);
});

Deno.test("welcome pulls: one that fails is resumed, and leads to the chat once when it is there", async () => {
  const { pulls, asked, chats, tell } = openPulls([jobOf(), jobOf({ updatedAtMs: 3 })]);
  await pulls.begin(source);
  const error = { code: "UNAVAILABLE", message: "The hub is gone", retryable: true } as const;
  tell({ status: "failed", error, updatedAtMs: 2 });
  assert.deepEqual(chats, []);
  await pulls.begin(source);
  assert.equal(asked[1], "POST /api/jobs/one/resume");
  tell({ status: "done", modelId: source, updatedAtMs: 4 });
  tell({ status: "done", modelId: source, updatedAtMs: 5 });
  assert.deepEqual(chats, [source]);
});

Deno.test("welcome pulls: a model that is there already is chatted with at once", async () => {
  const there = new AppError("CONFLICT", "It is here", { details: { modelId: "here" } });
  const { pulls, chats } = openPulls([there]);
  await pulls.begin(source);
  assert.deepEqual(chats, ["here"]);
});

Deno.test("welcome pulls: an answer that comes after the end of a small pull leads to the chat too", async () => {
  const { pulls, chats, tell } = openPulls([jobOf()]);
  const begun = pulls.begin(source);
  tell({ status: "done", modelId: source, updatedAtMs: 2 });
  await begun;
  assert.deepEqual(chats, [source]);
});

Deno.test("welcome pulls: who left the page, or cancelled, is led nowhere", async () => {
  const left = openPulls([jobOf()]);
  await left.pulls.begin(source);
  left.pulls.close();
  left.tell({ status: "done", modelId: source, updatedAtMs: 2 });
  assert.deepEqual(left.chats, []);

  const cancelled = openPulls([jobOf(), jobOf({ status: "cancelled", updatedAtMs: 2 })]);
  await cancelled.pulls.begin(source);
  await cancelled.pulls.control(source, "cancel");
  assert.deepEqual(cancelled.pulls.state(source), { kind: "idle" });
  assert.equal(cancelled.asked[1], "POST /api/jobs/one/cancel");
});

Deno.test("welcome pulls: one that ran before the page was opened is waited for", () => {
  const { pulls, chats, tell } = openPulls([]);
  pulls.adopt(source, "one");
  tell({ updatedAtMs: 2 });
  assert.equal(pulls.state(source).kind, "job");
  tell({ status: "done", modelId: source, updatedAtMs: 3 });
  assert.deepEqual(chats, [source]);
});
