// Models: a pull against a plain download, its memory, `verify` against its hash, and a list of a thousand.

import { createHash } from "node:crypto";
import { join } from "node:path";
import { encodeHeader, padding, stringValue } from "../models/gguf/encode.ts";
import type { Job } from "../plugins/runtime/contract/job.ts";
import { projectRoot } from "../server/build/bundles.ts";
import { startHub } from "../server/testing/hub_server.ts";
import { type ServerProcess, startServer } from "../server/testing/server_process.ts";
import { median, type Section } from "./report.ts";

const rounds = 5;
const pullBytes = 512 * 2 ** 20;
const sparseBytes = 4 * 2 ** 30;
const modelCount = 1000;

export async function measureModels(): Promise<Section> {
  const folder = await Deno.makeTempDir({ prefix: "bkg-bench-" });
  try {
    const { pulls, plains, verifies, sums } = await measurePulls(folder);
    const growth = await measureGrowth(folder);
    const lists = await measureList(folder);
    const rate = (bytes: number, ms: readonly number[]) =>
      `${Math.round(bytes / 1e3 / median(ms))} MB/s`;
    const pullRatio = median(plains) / median(pulls);
    const verifyRatio = median(sums) / median(verifies);
    return {
      title: "Models",
      how:
        `A hub on this machine, ${rounds} rounds, interleaved, of a file of ${
          pullBytes / 2 ** 20
        } MiB. ` +
        `A pull is from the request until its job is done: ranges, journal, digest, validated header, ` +
        `files on the disk (fsync). The plain download is fetch, SHA-256 and fsync in a process of its ` +
        `own; the plain hash reads and hashes. Memory is the server's resident set, sampled every 20 ms during a pull of a sparse file ` +
        `of 4 GiB. The list is GET /api/models over HTTP, the middle one of 20.`,
      rows: [
        {
          what: "pull",
          measured: `${rate(pullBytes, pulls)} (${pullRatio.toFixed(2)}x)`,
          reference: `plain download ${rate(pullBytes, plains)}`,
          budget: "≥ 0.9x",
          met: pullRatio >= 0.9,
        },
        {
          what: "memory over idle during a pull of 4 GiB",
          measured: `${Math.round(growth)} MB`,
          reference: "",
          budget: "≤ 50 MB",
          met: growth <= 50,
        },
        {
          what: "verify",
          measured: `${rate(pullBytes, verifies)} (${verifyRatio.toFixed(2)}x)`,
          reference: `SHA-256 of the file ${rate(pullBytes, sums)}`,
          budget: "that of SHA-256",
          met: verifyRatio >= 0.9,
        },
        {
          what: `list of ${modelCount} models`,
          measured: `${median(lists).toFixed(1)} ms`,
          reference: "",
          budget: "≤ 50 ms",
          met: median(lists) <= 50,
        },
      ],
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function measurePulls(folder: string) {
  const path = join(folder, "big.gguf");
  await writeModel(path, pullBytes, { random: true });
  await using hub = await startHub({ files: { "bench/big": { "big-Q8_0.gguf": path } } });
  await using server = await startServer({ env: { HF_ENDPOINT: hub.url } });
  const url = `${hub.cdnUrl}/bench/big/big-Q8_0.gguf`;
  const [pulls, plains, verifies, sums] = [[], [], [], []] as [
    number[],
    number[],
    number[],
    number[],
  ];
  for (let round = 0; round < rounds; round++) {
    plains.push(await timeReference("plain_pull.ts", url, join(folder, "plain")));
    pulls.push(await timeJob(server, "/api/models/pull", { source: "bench/big:Q8_0" }));
    const id = encodeURIComponent("bench/big:Q8_0");
    verifies.push(await timeJob(server, `/api/models/${id}/verify`));
    sums.push(await timeReference("plain_hash.ts", path));
    const removed = await server.fetch(`/api/models/${id}`, { method: "DELETE" });
    if (!removed.ok) throw new Error(await removed.text());
    await removed.body?.cancel();
  }
  return { pulls, plains, verifies, sums };
}

/** MB above what the server had before. */
async function measureGrowth(folder: string): Promise<number> {
  const path = join(folder, "sparse.gguf");
  await writeModel(path, sparseBytes, { random: false });
  await using hub = await startHub({ files: { "bench/sparse": { "sparse-Q8_0.gguf": path } } });
  await using server = await startServer({ env: { HF_ENDPOINT: hub.url } });
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const before = residentBytes(server.pid);
  let peak = before;
  const timer = setInterval(() => peak = Math.max(peak, residentBytes(server.pid)), 20);
  try {
    await timeJob(server, "/api/models/pull", { source: "bench/sparse:Q8_0" });
  } finally {
    clearInterval(timer);
  }
  return (peak - before) / 1e6;
}

async function measureList(folder: string): Promise<number[]> {
  const models = join(folder, "many");
  await Deno.mkdir(models);
  for (let at = 0; at < modelCount; at++) {
    await writeModel(join(models, `model-${at}.gguf`), 4096, { random: false });
  }
  await using server = await startServer({ env: { BKG_MODEL_PATHS: models } });
  const times: number[] = [];
  for (let round = 0; round <= 20; round++) {
    const started = performance.now();
    const response = await server.fetch("/api/models");
    const { models } = await response.json() as { models: unknown[] };
    if (models.length < modelCount) throw new Error(`only ${models.length} models are listed`);
    // The first one reads every header.
    if (round > 0) times.push(performance.now() - started);
  }
  return times;
}

async function timeJob(server: ServerProcess, path: string, body?: unknown): Promise<number> {
  const started = performance.now();
  const response = await server.fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  let job = await response.json() as Job;
  if (!response.ok) throw new Error(JSON.stringify(job));
  while (job.status === "queued" || job.status === "running") {
    await new Promise((resolve) => setTimeout(resolve, 20));
    job = await (await server.fetch(`/api/jobs/${job.id}`)).json() as Job;
  }
  if (job.status !== "done") throw new Error(`the job is ${job.status}: ${job.error?.message}`);
  return performance.now() - started;
}

/** Milliseconds, as a program of bench/reference says. */
async function timeReference(program: string, ...args: string[]): Promise<number> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", join(projectRoot, "bench/reference", program), ...args],
  }).output();
  return (JSON.parse(new TextDecoder().decode(stdout)) as { ms: number }).ms;
}

/** A GGUF file of one tensor, so large. */
async function writeModel(
  path: string,
  bytes: number,
  { random }: { random: boolean },
): Promise<void> {
  const blocks = Math.floor((bytes - 1024) / 34);
  const header = encodeHeader({
    metadata: [["general.architecture", stringValue("llama")]],
    tensors: [{ name: "a.weight", dims: [32, blocks], type: 8, offset: 0 }],
  });
  using file = await Deno.open(path, { write: true, create: true, truncate: true });
  await file.write(header);
  await file.write(padding(header.length, 32));
  await file.truncate(bytes);
  if (!random) return;
  const piece = new Uint8Array(2 ** 20);
  for (let at = 0; at < piece.length; at += 32) {
    piece.set(createHash("sha256").update(`${at}`).digest(), at);
  }
  for (let left = bytes - 2 ** 20; left >= piece.length; left -= piece.length) {
    for (let rest = piece; rest.length > 0;) rest = rest.subarray(await file.write(rest));
  }
}

function residentBytes(pid: number): number {
  const [, kilobytes = "0"] =
    /^VmRSS:\s+(\d+)/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`)) ??
      [];
  return Number(kilobytes) * 1024;
}
