import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseContentRange, RangeSet } from "./ranges.ts";
import { fileName, makeModel, repo, startScene } from "../../server/testing/pull_fixture.ts";

const child = fileURLToPath(new URL("../../server/testing/pull_child.ts", import.meta.url));
const mebibyte = 1024 ** 2;
const segmentBytes = mebibyte;
const kills = 50;

Deno.test("downloadFiles: killed at 50 random moments, it ends with the same digest and asks for nothing durable again", async () => {
  // So slow that every kill finds it at work.
  await using scene = await startScene(40 * mebibyte, { bytesPerSecond: mebibyte });
  const { hub, folder } = scene;
  let done = 0;
  for (let killed = 0; killed < kills; killed++) {
    hub.requests.length = 0;
    const durable = await readDurable(folder);
    assert.ok(durable.bytes >= done, "what was durable is durable");
    done = durable.bytes;
    const puller = start(hub.url, folder);
    while (hub.requests.length === 0) await sleep(5);
    await sleep(Math.random() * 600);
    puller.kill("SIGKILL");
    await puller.output();
    assertNothingAgain(scene, durable);
  }
  assert.ok(done > 0 && done < scene.model.length, `${done} bytes were durable at the end`);
  const durable = await readDurable(folder);
  hub.requests.length = 0;
  const { stdout } = await start(hub.url, folder).output();
  assert.equal(new TextDecoder().decode(stdout).trim(), hub.digest(repo, fileName));
  assertNothingAgain(scene, durable);
  const path = join(folder, scene.names().find((name) => name.endsWith(".part")) ?? "");
  const digest = createHash("sha256").update(await Deno.readFile(path)).digest("hex");
  assert.equal(`sha256:${digest}`, hub.digest(repo, fileName));
});

Deno.test("downloadFiles: a kill loses at most the ranges that are not whole", async () => {
  await using scene = await startScene(32 * mebibyte, { bytesPerSecond: 8 * mebibyte });
  const { hub, folder } = scene;
  for (let round = 0; round < 5; round++) {
    const before = sentBytes(scene);
    const durable = await readDurable(folder);
    const puller = start(hub.url, folder);
    while (sentBytes(scene) - before < 3 * mebibyte) {
      await sleep(10);
    }
    puller.kill("SIGKILL");
    await puller.output();
    const won = (await readDurable(folder)).bytes - durable.bytes;
    const lost = sentBytes(scene) - before - won;
    // Four connections, each with a range that is not whole.
    assert.ok(lost <= 4 * segmentBytes, `${lost} bytes were lost`);
  }
});

Deno.test({
  name:
    "downloadFiles: a disk that fills up says so, keeps what came, and goes on when there is space",
  ignore: !await canMount(),
  async fn() {
    await using scene = await startScene(1, {
      ...{ files: { [repo]: { [fileName]: makeModel(12 * mebibyte) } } },
      bytesPerSecond: 4 * mebibyte,
    });
    const { hub, folder } = scene;
    const run = [
      Deno.execPath(),
      "run",
      "-A",
      "--no-check",
      "--lock=deno.test.lock",
      child,
      hub.url,
      folder,
    ];
    const quoted = run.map((word) => `'${word}'`).join(" ");
    // Two tries on one small disk, and one when it was made larger.
    const script =
      `mount -t tmpfs -o size=6m none '${folder}' && ${quoted} && ls -s '${folder}' && ` +
      `mount -o remount,size=64m '${folder}' && ${quoted}`;
    const { stdout, stderr } = await new Deno.Command("unshare", {
      ...{ args: ["-rm", "sh", "-c", script], stdout: "piped", stderr: "piped" },
    }).output();
    const lines = new TextDecoder().decode(stdout).trim().split("\n");
    assert.equal(lines[0], "OUT_OF_DISK", new TextDecoder().decode(stderr));
    assert.equal(lines.at(-1), hub.digest(repo, fileName));
    // Most of what the small disk held was not asked for again.
    assert.ok(sentBytes(scene) < 12 * mebibyte + 4 * mebibyte, `${sentBytes(scene)}`);
  },
});

type Scene = Awaited<ReturnType<typeof startScene>>;

function start(url: string, folder: string): Deno.ChildProcess {
  const args = ["run", "-A", "--no-check", "--lock=deno.test.lock", child, url, folder];
  return new Deno.Command(Deno.execPath(), { args, stdout: "piped", stderr: "piped" }).spawn();
}

async function readDurable(folder: string): Promise<RangeSet> {
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.endsWith(".json")) continue;
    return new RangeSet(JSON.parse(await Deno.readTextFile(join(folder, name))).ranges);
  }
  return new RangeSet();
}

function assertNothingAgain({ hub, model }: Scene, durable: RangeSet): void {
  for (const { at, headers } of hub.requests) {
    if (at !== "cdn") continue;
    const asked = headers.get("range")?.replace("bytes=", "bytes ");
    const range = parseContentRange(`${asked}/${model.length}`);
    assert.ok(range !== undefined, `${asked}`);
    for (const [start, end] of durable.ranges) {
      assert.ok(range.end <= start || range.start >= end, `${asked} was there`);
    }
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function sentBytes({ hub }: Scene): number {
  return hub.requests.reduce((sum, { at, sentBytes }) => sum + (at === "cdn" ? sentBytes : 0), 0);
}

/** Whether a name space with a small disk of its own can be made here. */
async function canMount(): Promise<boolean> {
  if (Deno.build.os !== "linux") return false;
  try {
    const args = ["-rm", "mount", "-t", "tmpfs", "-o", "size=1m", "none", "/mnt"];
    return (await new Deno.Command("unshare", { args }).output()).success;
  } catch {
    return false;
  }
}
