import assert from "node:assert/strict";
import type { Job } from "../../plugins/runtime/contract/job.ts";
import {
  damaged,
  jobAmount,
  jobMilestone,
  jobPercent,
  jobRate,
  jobState,
  jobTimeLeft,
  verifiedFiles,
} from "./job_words.ts";

const mebibyte = 1024 * 1024;

Deno.test("jobPercent is not known without a total, and 100 only when the job is done", () => {
  assert.equal(jobPercent(job({ doneBytes: 5 })), undefined);
  assert.equal(jobPercent(job({ totalBytes: 0 })), undefined);
  assert.equal(jobPercent(job({ doneBytes: 1, totalBytes: 3 })), 33);
  assert.equal(jobPercent(job({ doneBytes: 3, totalBytes: 3 })), 99);
  // A server that counts more than it said.
  assert.equal(jobPercent(job({ doneBytes: 9, totalBytes: 3 })), 99);
  assert.equal(jobPercent(job({ status: "done", doneBytes: 3, totalBytes: 3 })), 100);
});

Deno.test("jobTimeLeft is said in steps, and not while nobody can know", () => {
  const left = (seconds: number) =>
    jobTimeLeft(job({ totalBytes: seconds * mebibyte, bytesPerSecond: mebibyte }));
  assert.deepEqual([2, 31, 34, 61, 100, 4000].map(left), [
    "a few seconds left",
    "about 35 s left",
    "about 35 s left",
    "about 2 min left",
    "about 2 min left",
    "about 1 h 10 min left",
  ]);
  assert.equal(left(1e9), "");
  const sized = { totalBytes: 100 * mebibyte };
  assert.equal(jobTimeLeft(job({ ...sized, bytesPerSecond: 0 })), "");
  assert.equal(jobTimeLeft(job(sized)), "");
  assert.equal(jobTimeLeft(job({ ...sized, bytesPerSecond: 5, status: "paused" })), "");
  assert.equal(jobTimeLeft(job({ bytesPerSecond: 5 })), "");
});

Deno.test("jobAmount and jobRate have their units, and are nothing where nothing is known", () => {
  assert.equal(jobAmount(job({})), "");
  assert.equal(jobAmount(job({ doneBytes: 2 * mebibyte })), "2 MiB");
  const half = job({ doneBytes: 2 * mebibyte, totalBytes: 4 * mebibyte, bytesPerSecond: 2048 });
  assert.deepEqual([jobAmount(half), jobRate(half)], ["2 MiB of 4 MiB", "2 KiB/s"]);
  assert.equal(jobRate({ ...half, status: "paused" }), "");
  assert.equal(jobAmount({ ...half, status: "done" }), "4 MiB");
});

Deno.test("jobState: the server's step while it runs, cut and turned back; else how it stands", () => {
  assert.equal(
    jobState(job({ step: "Waiting 20 s: the hub is busy" })),
    "Waiting 20 s: the hub is busy",
  );
  assert.doesNotMatch(jobState(job({ step: `\u202e${"x".repeat(500)}` })), /\u202e|x{200}/);
  assert.equal(jobState(job({ status: "paused", step: "Downloading" })), "Paused");
  assert.equal(jobState(job({ kind: "model.verify" })), "Checking");
  assert.equal(jobState(job({ kind: "engine.add" })), "Downloading");
  assert.equal(jobState(job({ kind: "engine.add", status: "done" })), "It is on");
  assert.equal(jobState(job({ kind: "engine.add", status: "failed" })), "It did not come through");
  assert.equal(jobState(job({ status: "done", result: { changed: true } })), "It is here");
  assert.match(jobState(job({ status: "done", result: { changed: false } })), /no newer one/);
});

Deno.test("jobMilestone changes at each quarter, and at an end, not with every step", () => {
  const said = new Set<string>();
  for (let done = 0; done <= 1000; done++) {
    said.add(jobMilestone(job({ doneBytes: done, totalBytes: 1000, bytesPerSecond: done })));
  }
  assert.deepEqual([...said], [
    "owner/name: downloading",
    "owner/name: 25% is here",
    "owner/name: 50% is here",
    "owner/name: 75% is here",
  ]);
  assert.equal(jobMilestone(job({ status: "done" })), "owner/name: it is here");
});

Deno.test("verifiedFiles reads what a verification found; one bad file means damage", () => {
  const verified = (files: unknown) =>
    job({ kind: "model.verify", status: "done", result: { files } });
  const good = { name: "a", ok: true };
  assert.deepEqual(verifiedFiles(verified([good, 3, { name: "b" }])), [good]);
  assert.equal(damaged(verified([good])), false);
  assert.equal(damaged(verified([good, { name: "b", ok: false }])), true);
  assert.equal(jobState(verified([{ name: "b", ok: false }])), "Damaged files were found");
  assert.deepEqual(verifiedFiles(verified("nothing")), []);
  assert.equal(
    damaged(job({ status: "done", result: { files: [{ name: "b", ok: false }] } })),
    false,
  );
});

function job(part: Partial<Job>): Job {
  return {
    id: "job-1",
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
