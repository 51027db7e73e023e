import assert from "node:assert/strict";
import { join } from "node:path";
import { createEventJournal, keptLines } from "../../plugins/runtime/host/event_journal.ts";
import type { LogLine } from "../../plugins/runtime/host/host.ts";
import { openPluginLogs } from "./plugin_logs.ts";

const line = (seq: number, message = `${seq}`): LogLine => ({
  seq,
  atMs: 1,
  level: "info",
  source: "plugin",
  message,
});
const failed = (error: unknown) => {
  throw error;
};

Deno.test("openPluginLogs keeps lines beyond a restart, each plugin's apart and for the owner alone", async () => {
  await inFolder(async (folder) => {
    {
      await using logs = openPluginLogs({ folder, failed });
      assert.deepEqual(logs.load("a"), []);
      for (let seq = 0; seq < 5; seq++) logs.append("a", line(seq));
      logs.append("b", { ...line(9), fields: { n: 1 } });
    }
    await using again = openPluginLogs({ folder, failed });
    assert.deepEqual(again.load("a"), [0, 1, 2, 3, 4].map((seq) => line(seq)));
    assert.deepEqual(again.load("b"), [{ ...line(9), fields: { n: 1 } }]);
    const { mode } = await Deno.stat(join(folder, "a.jsonl"));
    assert.equal((mode ?? 0) & 0o777, 0o600);
  });
});

Deno.test("openPluginLogs reads the newest lines of files that were turned over, and says when others may be gone", async () => {
  await inFolder(async (folder) => {
    {
      await using logs = openPluginLogs({ folder, failed, maxBytes: 400 });
      for (let seq = 0; seq < 5; seq++) logs.append("a", line(seq));
    }
    {
      await using logs = openPluginLogs({ folder, failed, maxBytes: 400 });
      for (let seq = 5; seq < 10; seq++) logs.append("a", line(seq));
    }
    await using logs = openPluginLogs({ folder, failed });
    const seqs = logs.load("a").map((one) => (one as LogLine | undefined)?.seq);
    assert.deepEqual(seqs, [undefined, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
});

Deno.test("openPluginLogs reads one line more than is kept of a large file, and no more", async () => {
  await inFolder(async (folder) => {
    const text = Array.from(
      { length: 5000 },
      (_, seq) => JSON.stringify(line(seq, "ä".repeat(200))) + "\n",
    );
    await Deno.writeTextFile(join(folder, "a.jsonl"), text.join(""));
    await using logs = openPluginLogs({ folder, failed });
    const lines = logs.load("a") as LogLine[];
    assert.equal(lines.length, keptLines + 1);
    assert.deepEqual([lines[0]?.seq, lines.at(-1)?.seq], [3999, 4999]);
    assert.equal(lines[0]?.message, "ä".repeat(200));
  });
});

Deno.test("openPluginLogs skips what a kill tore off or somebody damaged, and writes on behind it", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "a.jsonl");
    const whole = (seq: number) => JSON.stringify(line(seq)) + "\n";
    await Deno.writeFile(path, new Uint8Array([0xff, 0x00, 0x0a]));
    await Deno.writeTextFile(path, `${whole(1)}{"seq":2}\n\n${whole(3)}{"seq":4,"mess`, {
      append: true,
    });
    {
      await using logs = openPluginLogs({ folder, failed });
      const journal = journalOf(logs.load("a"));
      assert.deepEqual(journal.lines("a", 10).map(({ seq }) => seq), [1, 3]);
      // What was torn off may have been more than one line.
      assert.equal(journal.history({ topic: "logs", after: 3 }).gap, true);
      logs.append("a", line(5));
    }
    await using again = openPluginLogs({ folder, failed });
    const journal = journalOf(again.load("a"));
    assert.deepEqual(journal.lines("a", 10).map(({ seq }) => seq), [1, 3, 5]);
  });
});

Deno.test("openPluginLogs reports a file that cannot be read or written, and goes on", async () => {
  await inFolder(async (folder) => {
    await Deno.mkdir(join(folder, "a.jsonl"));
    const failures: unknown[] = [];
    const logs = openPluginLogs({ folder, failed: (error) => failures.push(error) });
    assert.deepEqual(logs.load("a"), []);
    logs.append("a", line(1));
    await logs[Symbol.asyncDispose]();
    assert.equal(failures.length, 2);
  });
});

Deno.test("a kill -9 costs the lines of the last batch at most, and seq does not go back", async () => {
  await inFolder(async (folder) => {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "--lock=deno.test.lock", writerPath, folder],
      stdout: "piped",
    }).spawn();
    let written = "";
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      written += chunk;
      if (written.split("\n").length > 40) break;
    }
    child.kill("SIGKILL");
    await child.status;
    await using logs = openPluginLogs({ folder, failed });
    const lines = logs.load("a") as LogLine[];
    // The writer says a number 500 ms after it appended that line.
    const said = written.trim().split("\n").map(Number);
    const lost = said.filter((seq) => !lines.some((one) => one?.seq === seq));
    assert.deepEqual(lost, []);
    assert.ok(journalOf(lines).lastSeq > said.at(-1)!);
  });
});

const writerPath = new URL("./testing_log_writer.ts", import.meta.url).pathname;

function journalOf(lines: readonly unknown[]) {
  return createEventJournal({ stored: [["a", lines]], now: () => 1, onLine: () => {} });
}

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
