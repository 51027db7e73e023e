import assert from "node:assert/strict";
import type { Job } from "../../plugins/runtime/contract/job.ts";
import type { CliIo } from "./command.ts";
import { openProgressLine, progressText } from "./progress_line.ts";

const job: Job = {
  id: "a",
  kind: "model.pull",
  status: "running",
  title: "owner/name:Q8_0",
  step: "Downloading",
  doneBytes: 230_000_000,
  totalBytes: 531_000_000,
  bytesPerSecond: 12_000_000,
  createdBy: "admin",
  createdAtMs: 0,
  updatedAtMs: 0,
};

Deno.test("progressText: fits its columns, and is 100 % only when all is there", () => {
  assert.equal(
    progressText(job, 80),
    "Downloading  43 % [###########----------------]  230 MB of 531 MB  12 MB/s  25 s",
  );
  for (const columns of [0, 3, 20, 40, 60, 79, 200]) {
    assert.ok(progressText(job, columns).length <= columns, String(columns));
  }
  const almost = { ...job, doneBytes: 530_999_999 };
  assert.match(progressText(almost, 80), /^Downloading {2}99 % \[#+-\]/);
  assert.match(progressText({ ...almost, doneBytes: 531_000_000 }, 80), / 100 % \[#+\]/);
  assert.match(progressText({ ...job, totalBytes: 0, doneBytes: 0 }, 80), /100 %/);
});

Deno.test("progressText: without a size it tells what came; a step cannot move the cursor", () => {
  const { totalBytes: _, bytesPerSecond: __, ...unknown } = job;
  assert.equal(progressText(unknown, 80), "Downloading  230 MB");
  const moved = progressText({ ...unknown, step: "a\r\n\x1b[2Jb" }, 80);
  assert.ok(["\r", "\n", "\x1b"].every((character) => !moved.includes(character)), moved);
});

Deno.test("openProgressLine: overwrites a terminal's line; elsewhere a line at each step and now and then", () => {
  const written: string[] = [];
  const io = { err: (text: string) => written.push(text) } as unknown as CliIo;
  {
    using line = openProgressLine({ ...io, errColumns: 60 });
    line.show(job);
    line.show(job);
    line.show({ ...job, step: "Checking" });
  }
  assert.equal(written.length, 3);
  assert.ok(written[0]!.startsWith("\rDownloading ") && written[0]!.endsWith("\x1b[K"));
  assert.match(written[1]!, /^\rChecking /);
  assert.equal(written[2], "\n");
  written.length = 0;
  let nowMs = 0;
  using line = openProgressLine(io, { now: () => nowMs });
  for (let second = 0; second < 25; second++) {
    nowMs = second * 1000;
    line.show({ ...job, doneBytes: second });
  }
  line.show({ ...job, step: "Checking" });
  assert.equal(written.length, 4);
  assert.ok(written.every((text) => /^\w+ .*\n$/.test(text)));
});
