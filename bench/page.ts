// The page in headless Chromium: what a first visit loads, how soon it answers, whether a flood of log lines makes
// it stutter, how fast it is back after the server was started again, and tokens a second in the browser.

import { join } from "node:path";
import type { Page } from "playwright-core";
import { buildBundles, projectRoot } from "../server/build/bundles.ts";
import {
  browserProblem,
  openPageTest,
  type PageTest,
  signIn,
} from "../server/testing/browser/browser.ts";
import { untilInPage } from "../server/testing/browser/local_page.ts";
import { startServer } from "../server/testing/server_process.ts";
import { sharedModelsProblem } from "../server/testing/shared_models.ts";
import { measurePageTokens } from "./page_tokens.ts";
import { median, type Row, type Section } from "./report.ts";

const visits = 7;
const restarts = 5;
const linesPerSecond = 500;
const floodMs = 15_000;

export async function measurePage(): Promise<Section> {
  const rows: Row[] = [await measureSize()];
  const problem = browserProblem();
  if (problem === undefined) {
    {
      await using test = await openPageTest({
        env: { BKG_PLUGIN_PATHS: join(projectRoot, "bench/herald") },
      });
      rows.push(await measureVisits(test), await measureFlood(test));
    }
    rows.push(await measureReturn());
    const missing = sharedModelsProblem();
    if (missing === undefined) rows.push(await measurePageTokens());
    else console.error(`skipped tokens in the browser: ${missing}`);
  } else console.error(`skipped the page's times: ${problem}`);
  return {
    title: "Page",
    how:
      `Headless Chromium on the server's own machine. A visit: a new context with an empty cache, ` +
      `signed in, until the dashboard's heading is there and the last long task is over; medians of ` +
      `${visits}. The flood: ${linesPerSecond} log lines a second for ${
        floodMs / 1000
      } s into the open ` +
      `log view. The return: from /readyz of the new server to the page's socket being open again, ` +
      `${restarts} restarts. Tokens: 1 thread, greedy, streamed, rounds interleaved.`,
    rows,
  };
}

async function measureSize(): Promise<Row> {
  const { sizes } = await buildBundles({ log: () => {} });
  const kib = sizes.page.firstLoad / 1024;
  return {
    what: "scripts of the first load, gzip",
    measured: `${kib.toFixed(1)} KiB`,
    reference: "",
    budget: "≤ 200 KB",
    met: sizes.page.firstLoad <= 200_000,
  };
}

async function measureVisits(test: PageTest): Promise<Row> {
  const first = await test.newPage();
  await signIn(first, test.server);
  const storageState = await first.context().storageState();
  await first.context().close();
  const timesMs: number[] = [];
  for (let visit = 0; visit < visits; visit++) {
    const page = await test.newPage({ storageState });
    await page.addInitScript(watchLongTasks);
    await page.goto("dashboard");
    await page.getByRole("heading", { level: 1, name: "Dashboard" }).waitFor();
    const shownMs = await page.evaluate(() => performance.now());
    await page.waitForTimeout(500);
    timesMs.push(Math.max(shownMs, (await longTasks(page)).at(-1)?.endMs ?? 0));
    await page.context().close();
  }
  const ms = median(timesMs);
  return {
    what: "interactive after a first visit's start",
    measured: `${ms.toFixed(0)} ms`,
    reference: "",
    budget: "≤ 1,000 ms",
    met: ms <= 1000,
  };
}

async function measureFlood(test: PageTest): Promise<Row> {
  const { server } = test;
  const page = await test.newPage();
  await page.addInitScript(watchLongTasks);
  await signIn(page, server, "plugins/bench-herald");
  await page.goto(`${server.url}/plugins/bench-herald#logs`);
  await page.getByRole("log").waitFor();
  await page.waitForTimeout(1000);
  const before = (await longTasks(page)).length;
  const started = performance.now();
  let sent = 0;
  while (performance.now() - started < floodMs) {
    const due = Math.floor((performance.now() - started) / 1000 * linesPerSecond);
    const calls: Promise<unknown>[] = [];
    for (; sent < due; sent++) calls.push(writeLine(server, `line ${sent} `.repeat(8)));
    await Promise.all(calls);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const tasks = (await longTasks(page)).slice(before);
  const longestMs = Math.max(0, ...tasks.map(({ endMs, startMs }) => endMs - startMs));
  await page.context().close();
  return {
    what: `longest task while ${Math.round(sent / floodMs * 1000)} log lines a second arrive`,
    measured: longestMs === 0 ? "none over 50 ms" : `${longestMs.toFixed(0)} ms`,
    reference: `${tasks.length} tasks over 50 ms in ${floodMs / 1000} s`,
    budget: "≤ 100 ms",
    met: longestMs <= 100,
  };
}

async function writeLine(server: PageTest["server"], text: string): Promise<void> {
  const response = await server.fetch("/api/capabilities/bench.herald", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(text),
  });
  await response.body?.cancel();
}

/** The server is started again on its port; its page comes back by itself. */
async function measureReturn(): Promise<Row> {
  const dataDir = await Deno.makeTempDir();
  const test = await openPageTest({ dataDir });
  const timesMs: number[] = [];
  try {
    const { port } = new URL(test.server.url);
    const page = await test.newPage();
    await signIn(page, test.server);
    await untilInPage(page, isOpen);
    let server = test.server;
    for (let count = 0; count < restarts; count++) {
      await server.end("SIGTERM");
      await untilInPage(page, `!(${isOpen})`);
      server = await startServer({ dataDir, env: { BKG_PORT: port } });
      const readyAt = performance.now();
      await untilInPage(page, isOpen);
      timesMs.push(performance.now() - readyAt);
    }
    await server.end("SIGTERM");
  } finally {
    await test[Symbol.asyncDispose]();
    await Deno.remove(dataDir, { recursive: true });
  }
  const worstMs = Math.max(...timesMs);
  return {
    what: "page connected again after a restart, the slowest",
    measured: `${worstMs.toFixed(0)} ms`,
    reference: `median ${median(timesMs).toFixed(0)} ms`,
    budget: "≤ 2,000 ms",
    met: worstMs <= 2000,
  };
}

const isOpen = `document.querySelector("bkg-app").app.live.state.kind === "open"`;

/** Runs in the page, before its own scripts. */
const watchLongTasks = `
  globalThis.longTasks = [];
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) {
      globalThis.longTasks.push({ startMs: startTime, endMs: startTime + duration });
    }
  }).observe({ type: "longtask", buffered: true });
`;

function longTasks(page: Page): Promise<{ startMs: number; endMs: number }[]> {
  return page.evaluate(() =>
    (globalThis as unknown as { longTasks: { startMs: number; endMs: number }[] }).longTasks
  );
}
