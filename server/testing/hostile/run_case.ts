// Runs one hostile case as a user would meet it, through the real host, and compares with what must be.

import { AppError } from "../../../plugins/runtime/contract/error.ts";
import type { CellExit, SpawnCell } from "../../../plugins/runtime/host/cell.ts";
import type { PluginHost } from "../../../plugins/runtime/host/host.ts";
import { createPluginHost } from "../../../plugins/runtime/host/plugin_host.ts";
import type { HostileCase } from "./hostile_case.ts";
import { type CellRecord, hostDeps, installed, operator, recordCells } from "./plugins.ts";

export interface Outcome {
  name: string;
  prelude: boolean;
  code: string;
  stop: string;
  tookMs: number;
  limitMs: number;
  /** What is not as it must be; empty: contained. */
  problems: string[];
}

/** Time beyond its own limit that a plugin may need to be stopped. */
export const graceMs = 500;

const defaultTimeoutMs = 1000;

export async function runCase(
  hostile: HostileCase,
  { spawnCell, prelude }: { spawnCell: SpawnCell; prelude: boolean },
): Promise<Outcome> {
  const { expect } = hostile;
  const limitMs = (hostile.limits?.timeoutMs ?? defaultTimeoutMs) + graceMs;
  const own: CellRecord[] = [];
  const host = createPluginHost({
    ...hostDeps(recordCells(spawnCell, own)),
    plugins: [
      installed({
        id: "evil",
        code: hostile.code,
        capabilities: ["evil.ping", "evil.run"],
        limits: hostile.limits,
        asks: hostile.asks,
        streaming: hostile.call === "stream",
      }),
      installed({
        id: "accomplice",
        code: hostile.accomplice ?? "",
        capabilities: ["accomplice.ping", "accomplice.run"],
      }),
    ],
  });
  const problems: string[] = [];
  try {
    if (hostile.call !== "started") await host.start("evil", operator);
    if (hostile.accomplice !== undefined) await host.start("accomplice", operator);
    const startedMs = performance.now();
    const { code, value, message } = await attack(host, hostile);
    const cell = own[0];
    const stop = expect.stop === "none"
      ? await livesOn(host)
      : await reasonWithin(cell?.exit, Math.max(0, limitMs - (performance.now() - startedMs)));
    const tookMs = performance.now() - startedMs;
    const complain = (what: string, found: unknown, wanted: unknown) =>
      problems.push(`${what} is ${show(found)}, must be ${show(wanted)}`);
    if (code !== expect.code) {
      complain("the code", `${code}: ${message ?? show(value)}`, expect.code);
    }
    if (stop !== expect.stop) complain("the stop reason", stop, expect.stop);
    if (expect.message !== undefined && !expect.message.test(message ?? "")) {
      complain("the message", message, String(expect.message));
    }
    if ("value" in expect && show(value) !== show(expect.value)) {
      complain("the answer", value, expect.value);
    }
    if (tookMs > limitMs) complain("the time", Math.round(tookMs), `at most ${limitMs}`);
    const log = host.logs("evil", 1000).map((line) => line.message).join("\n");
    if (expect.log !== undefined && !expect.log.test(log)) {
      complain("the log", log, String(expect.log));
    }
    if (expect.noLog?.test(log)) complain("the log", log, `without ${expect.noLog}`);
    const { active, queued } = await host.telemetry("evil");
    if (active + queued > 0) complain("what is pending", active + queued, 0);
    return { name: hostile.name, prelude, code, stop, tookMs, limitMs, problems };
  } finally {
    await host[Symbol.asyncDispose]();
  }
}

interface Answer {
  code: string;
  value?: unknown;
  message?: string;
}

async function attack(host: PluginHost, hostile: HostileCase): Promise<Answer> {
  const options = { principal: operator };
  try {
    if (hostile.call === "stream") {
      const items: unknown[] = [];
      for await (const item of host.bus.stream("evil.run", hostile.input ?? {}, options)) {
        if (items.length < 10) items.push(item);
      }
      return { code: "ok", value: items };
    }
    const value = await host.bus.call("evil.run", hostile.input ?? {}, options);
    if (hostile.accomplice === undefined) return { code: "ok", value };
    return { code: "ok", value: await host.bus.call("accomplice.run", value, options) };
  } catch (error) {
    return error instanceof AppError
      ? { code: error.code, message: error.message }
      : { code: "not an AppError", message: String(error) };
  }
}

/** "none" when the plugin still answers. */
async function livesOn(host: PluginHost): Promise<string> {
  const { restarts } = host.get("evil");
  const answer = await host.bus.call("evil.ping", {}, { principal: operator, deadlineMs: 900 })
    .catch((error) => error instanceof AppError ? error.code : String(error));
  if (host.get("evil").restarts > restarts) return "restarted";
  return answer === "pong" ? "none" : `no pong: ${show(answer)}`;
}

async function reasonWithin(exit: Promise<CellExit> | undefined, limitMs: number): Promise<string> {
  if (exit === undefined) return "no cell";
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve("still running"), limitMs + 50);
  });
  const reason = await Promise.race([exit.then((ended) => ended.reason), late]);
  clearTimeout(timer);
  return reason;
}

function show(value: unknown): string {
  return typeof value === "string"
    ? value.slice(0, 300)
    : String(JSON.stringify(value)).slice(0, 300);
}
