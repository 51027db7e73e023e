// A 200-byte echo through HTTP, key, schema, bus, cell and Worker, against bare Hono and the bare hop. The caller is
// a user's API key; once more with limits that are counted and never reached.

import { join } from "node:path";
import { projectRoot } from "../server/build/bundles.ts";
import { type ServerProcess, startServer } from "../server/testing/server_process.ts";
import { startReference } from "./reference/start.ts";
import { median, type Section } from "./report.ts";

const rounds = 5;
const seconds = 4;
const connections = 64;
const body = JSON.stringify({ text: "x".repeat(150), count: 42, tags: ["alpha", "beta"] });

export async function measureCallRate(): Promise<Section> {
  await using server = await startServer({
    env: { BKG_PLUGIN_PATHS: join(projectRoot, "bench/echo") },
  });
  await using hono = await startReference("bare_hono.ts");
  await using hop = await startReference("bare_hop.ts");
  const url = `${server.url}/api/capabilities/bench.echo`;
  const targets = {
    bkg: { url, token: await createKey(server) },
    limited: { url, token: await createKey(server, { requestsPerMinute: 1_000_000 }) },
    hono: { url: `${hono.url}/echo`, token: "" },
    hop: { url: `${hop.url}/echo`, token: "" },
  };
  const results: Record<keyof typeof targets, Load[]> = { bkg: [], limited: [], hono: [], hop: [] };
  for (let round = -1; round < rounds; round++) {
    for (const [name, target] of Object.entries(targets)) {
      const load = await runWrk(target);
      // The first round warms everybody up.
      if (round >= 0) results[name as keyof typeof targets].push(load);
    }
  }
  const rate = (name: keyof typeof targets) => median(results[name].map((load) => load.rate));
  const p99 = (name: keyof typeof targets) => median(results[name].map((load) => load.p99Ms));
  const failed = [...results.bkg, ...results.limited].reduce((sum, load) => sum + load.failed, 0);
  const round = (value: number) => Math.round(value).toLocaleString("en");
  return {
    title: "Calls",
    how: `wrk, ${connections} connections, ${seconds} s, ${rounds} rounds after a warm-up; ` +
      `${body.length}-byte JSON body; a user's API key, schemas in and out, audit, usage and metrics on; ` +
      `load generator, ` +
      `server and cell share the cores. Failed answers: ${failed}. The bare hop is Hono, a child process ` +
      `over Node's IPC and a Worker, without a key, a schema, a queue, limits, metrics or an audit trail.`,
    rows: [
      {
        what: "capability call, calls/s",
        measured: round(rate("bkg")),
        reference: `bare hop ${round(rate("hop"))} (${(rate("bkg") / rate("hop")).toFixed(2)}x), ` +
          `bare Hono ${round(rate("hono"))} (${(rate("bkg") / rate("hono")).toFixed(2)}x)`,
        budget: "≥ 25,000",
        met: rate("bkg") >= 25_000 && failed === 0,
      },
      {
        what: "capability call, p99",
        measured: `${p99("bkg").toFixed(1)} ms`,
        reference: `bare hop ${p99("hop").toFixed(1)} ms, bare Hono ${p99("hono").toFixed(1)} ms`,
        budget: "< 15 ms",
        met: p99("bkg") < 15,
      },
      {
        what: "the same by a key whose calls are limited, calls/s",
        measured: round(rate("limited")),
        reference: `without a limit ${round(rate("bkg"))} (${
          (rate("limited") / rate("bkg")).toFixed(2)
        }x)`,
        budget: "",
        met: "reported",
      },
    ],
  };
}

/** A new key of the operator's account that may call the echo, and nothing else. */
async function createKey(server: ServerProcess, limits?: object): Promise<string> {
  const response = await server.fetch("/api/keys", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: "bench", scopes: ["invoke:bench.echo"], limits }),
  });
  if (!response.ok) throw new Error(await response.text());
  return (await response.json() as { key: string }).key;
}

interface Load {
  rate: number;
  p99Ms: number;
  failed: number;
}

async function runWrk({ url, token }: { url: string; token: string }): Promise<Load> {
  const script = await Deno.makeTempFile({ suffix: ".lua" });
  await Deno.writeTextFile(
    script,
    `wrk.method = "POST"\nwrk.body = ${JSON.stringify(body)}\n` +
      `wrk.headers["Content-Type"] = "application/json"\n` +
      `wrk.headers["Authorization"] = "Bearer ${token}"\n`,
  );
  const { stdout, success } = await new Deno.Command("wrk", {
    args: ["-t1", `-c${connections}`, `-d${seconds}s`, "--latency", "-s", script, url],
  }).output();
  await Deno.remove(script);
  const text = new TextDecoder().decode(stdout);
  const p99 = /99%\s+([\d.]+)(us|ms|s)/.exec(text);
  if (!success || p99 === null) throw new Error(`wrk failed: ${text}`);
  const scale = { us: 0.001, ms: 1, s: 1000 }[p99[2] as "us" | "ms" | "s"];
  return {
    rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]),
    p99Ms: Number(p99[1]) * scale,
    failed: Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0),
  };
}
