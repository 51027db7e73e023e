// One event to 1,000 WebSocket subscribers: a plugin's log line through cell, host and socket, against a bare loop
// over Deno's own sockets. The clients of each side are a process of their own.

import { join } from "node:path";
import { projectRoot } from "../server/build/bundles.ts";
import { startServer } from "../server/testing/server_process.ts";
import { startReference } from "./reference/start.ts";
import type { SubscribersTask } from "./reference/subscribers.ts";
import { median, type Section } from "./report.ts";

const subscribers = 1000;
const rounds = 150;

export async function measureFanOut(): Promise<Section> {
  await using server = await startServer({
    env: { BKG_PLUGIN_PATHS: join(projectRoot, "bench/herald") },
  });
  await using reference = await startReference("bare_fan_out.ts");
  await using bkg = await openSubscribers({
    url: `${server.url.replace("http", "ws")}/ws/plugins/bench-herald`,
    protocols: ["bkg", `bearer.${server.token}`],
    count: subscribers,
    emit: {
      url: `${server.url}/api/capabilities/bench.herald`,
      headers: { authorization: `Bearer ${server.token}`, "content-type": "application/json" },
      body: "null",
    },
  });
  await using bare = await openSubscribers({
    url: reference.url.replace("http", "ws"),
    protocols: [],
    count: subscribers,
    emit: { url: reference.url, headers: {}, body: bareText() },
  });
  const sides = { bkg, bare };
  const delays: Record<keyof typeof sides, number[][]> = { bkg: [], bare: [] };
  for (let round = -10; round < rounds; round++) {
    const order = round % 2 === 0 ? ["bkg", "bare"] as const : ["bare", "bkg"] as const;
    for (const name of order) {
      const delaysMs = await sides[name].event();
      // The first rounds warm everybody up.
      if (round >= 0) delays[name].push(delaysMs);
      // Past the time for which lines are held back to be sent together.
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
  }
  const typical = (share: number) => (name: keyof typeof sides) =>
    median(delays[name].map((delaysMs) => quantile(delaysMs, share)));
  const row = (what: string, of: (name: keyof typeof sides) => number) => {
    const ratio = of("bkg") / of("bare");
    return {
      ratio,
      what,
      measured: `${of("bkg").toFixed(1)} ms`,
      reference: `bare fan-out ${of("bare").toFixed(1)} ms (${ratio.toFixed(2)}x)`,
    };
  };
  const half = row("until half of the subscribers have an event", typical(0.5));
  const most = row("until 99% of the subscribers have an event", typical(0.99));
  const worst = row("p99 of all deliveries", (name) => quantile(delays[name].flat(), 0.99));
  return {
    title: "Fan-out",
    how:
      `${
        subscribers.toLocaleString("en")
      } WebSocket clients in one process on each side, all on this ` +
      `machine, same bytes. ${rounds} events, one for each side in turn after a warm-up; medians over events, ` +
      `but for the last row, which is every delivery of every event. The time runs from the ` +
      `plugin's call of its log, through cell, journal, log file and socket; for the bare loop from its start.`,
    rows: [
      { ...half, budget: "", met: "reported" },
      { ...most, budget: "≤ 1.3x of bare", met: most.ratio <= 1.3 },
      { ...worst, budget: "", met: "reported" },
    ],
  };
}

interface Subscribers extends AsyncDisposable {
  /** Causes an event; answers how long it took to each subscriber, ms. */
  event(): Promise<number[]>;
}

/** What one of our sockets gets, so that both sides send as much. */
function bareText(): string {
  const seq = Date.now() * 1000;
  const line = { seq, atMs: Date.now(), level: "info", source: "plugin", message: "<now>" };
  return JSON.stringify({
    type: "logs",
    seq,
    payload: { pluginId: "bench-herald", lines: [line] },
  });
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(share * (sorted.length - 1))] ?? NaN;
}

async function openSubscribers(task: SubscribersTask): Promise<Subscribers> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", join(projectRoot, "bench/reference/subscribers.ts")],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  const say = (text: string) => writer.write(new TextEncoder().encode(text + "\n"));
  const lines = readLines(child.stdout);
  const read = async () => {
    const { done, value } = await lines.next();
    if (done) throw new Error("the subscribers ended");
    return value;
  };
  await say(JSON.stringify(task));
  await read();
  return {
    async event() {
      await say("event");
      return JSON.parse(await read()) as number[];
    },
    async [Symbol.asyncDispose]() {
      await writer.close();
      await child.status;
      await lines.return(undefined);
    },
  };
}

async function* readLines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  return undefined;
}
