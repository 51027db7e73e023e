// The whole HTTP application over one plugin that misbehaves as asked, for tests of what is in front of plugins.

import assert from "node:assert/strict";
import type { Capability } from "../../plugins/runtime/contract/capability.ts";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { noPermissions } from "../../plugins/runtime/contract/grant.ts";
import type {
  InvokeOptions,
  PluginHost,
  PluginTelemetry,
  PluginView,
} from "../../plugins/runtime/host/host.ts";
import { type App, createApp } from "../app.ts";
import { createOperatorAuthenticator } from "./operator_authenticator.ts";
import type { HttpConfig, Services } from "../http/services.ts";
import { createLogger } from "../log.ts";
import { createMetrics } from "../observability/metrics.ts";
import type { Deed } from "../services/audit_log.ts";
import { createTestGuard } from "./test_guard.ts";

/** The operator's key of the test server. */
export const token = "bkg_operator_" + "A".repeat(43);

export interface TestApp {
  app: App;
  /** The options of each call of a capability. */
  calls: InvokeOptions[];
  counts: { flood: number };
  /** What was recorded for the audit. */
  deeds: Deed[];
  /** All that was logged. */
  logged: () => string;
}

/** A request to the test server. */
export function ask(path: string, init: RequestInit = {}): Request {
  return new Request(`http://localhost${path}`, init);
}

/** Waits until `holds`, at most 5 s. */
export async function until(holds: () => boolean, everyMs = 5): Promise<void> {
  const limit = performance.now() + 5000;
  while (!holds()) {
    if (performance.now() > limit) throw new Error("It did not come to pass in 5 s");
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/** An app over a plugin "test" whose capabilities misbehave as their names say. */
export function createTestApp(
  config: Partial<HttpConfig> = {},
  services: Partial<Services> = {},
): TestApp {
  const calls: InvokeOptions[] = [];
  const counts = { flood: 0 };
  let text = "";
  const hang = (signal?: AbortSignal) =>
    new Promise<never>((_, reject) =>
      signal?.addEventListener("abort", () => reject(signal.reason))
    );
  async function* run(name: string, input: unknown, signal?: AbortSignal) {
    switch (name) {
      case "test.echo":
        return input;
      case "test.count":
        for (let i = 1; i <= (input as { to: number }).to; i++) yield { i };
        return { done: true };
      case "test.full":
        throw new AppError("QUEUE_FULL", "Too many calls wait", {
          details: { retryAfterMs: 2500 },
        });
      case "test.bug":
        throw new TypeError("inner thing");
      case "test.late":
        yield 1;
        throw new AppError("CELL_LOST", "The cell is gone");
      case "test.hang":
        await hang(signal);
        return undefined;
      case "test.slow":
        yield 1;
        await new Promise((resolve) => setTimeout(resolve, 100));
        return 2;
      case "test.stuck":
        yield 1;
        await hang(signal);
        return undefined;
      case "test.flood":
        while (!signal?.aborted) {
          counts.flood++;
          yield "x".repeat(65_536);
        }
        return undefined;
      default:
        throw new AppError("NOT_FOUND", `No capability "${name}"`);
    }
  }
  let view = testPlugin();
  let granted = noPermissions;
  const known = (id: string) => {
    if (id !== "test") throw new AppError("NOT_FOUND", `There is no plugin "${id}"`);
    return view;
  };
  const change = (id: string, status: PluginView["status"]) => {
    view = { ...known(id), status };
    return Promise.resolve(view);
  };
  const host: PluginHost = {
    bus: {
      async call(name, input, options) {
        calls.push(options);
        const items = run(name, input, options.signal);
        while (true) {
          const { done, value } = await items.next();
          if (done) return value;
        }
      },
      stream(name, input, options) {
        calls.push(options);
        return run(name, input, options.signal);
      },
      find(name) {
        const capability = view.capabilities.find(({ id }) => id === name);
        if (capability === undefined) throw new AppError("NOT_FOUND", `No capability "${name}"`);
        return { capability, pluginId: "test" };
      },
    },
    list: () => [view],
    get: known,
    manifest: () => assert.fail("not asked for"),
    loadCode: () => assert.fail("not asked for"),
    config: () => assert.fail("not asked for"),
    configure: () => assert.fail("not asked for"),
    start: (id) => change(id, "running"),
    stop: (id) => change(id, "stopped"),
    restart: (id) => change(id, "running"),
    telemetry: (id): Promise<PluginTelemetry> =>
      Promise.resolve({
        pluginId: known(id).id,
        status: view.status,
        pid: 1,
        usage: { rssBytes: 1, cpuSeconds: 1, threads: 1, diskBytes: 0 },
        cpuPercent: 0,
        uptimeMs: 1,
        requests: 7,
        errors: 0,
        active: 0,
        queued: 0,
        lastError: undefined,
        metrics: { models_loaded: 1 },
      }),
    logs: (id, lines) =>
      Array.from({ length: lines }, (_, seq) => ({
        seq,
        atMs: 0,
        level: "info",
        source: "plugin",
        message: known(id).id,
      })),
    audit: () => [],
    grants: () => ({
      version: view.version,
      requested: noPermissions,
      granted,
      missing: [],
      consented: undefined,
      consent: "none-needed",
    }),
    setGrants: (_id, wanted) => {
      granted = wanted;
      return Promise.resolve();
    },
    lastSeq: 0,
    history: () => ({ events: [], gap: false }),
    subscribe: () => () => {},
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const deeds: Deed[] = [];
  const app = createApp({
    host,
    ...createTestGuard(host, { deeds }),
    auth: createOperatorAuthenticator(token),
    models: {
      list: () => Promise.resolve([]),
      get: (id) => Promise.reject(new AppError("NOT_FOUND", `There is no model "${id}"`)),
    },
    config: {
      version: "0.0.0",
      host: "127.0.0.1",
      allowedHosts: [],
      allowedOrigins: [],
      ...config,
    },
    log: createLogger({ level: "debug", write: (lines) => text += lines }),
    metrics: createMetrics(),
    ...services,
  });
  return { app, calls, counts, deeds, logged: () => text };
}

function testPlugin(): PluginView {
  const names = ["echo", "count", "full", "bug", "late", "hang", "slow", "stuck", "flood"];
  const capabilities: Capability[] = names.map((name) => ({
    id: `test.${name}`,
    title: name,
    description: "",
    inputSchema: {
      $defs: { to: { type: "integer" } },
      type: "object",
      properties: { to: { $ref: "#/$defs/to" }, default: { $ref: "#/$defs/to" } },
    },
    outputSchema: {},
    streaming: name === "count",
    examples: [{ title: "two", input: { to: 2 } }],
  }));
  return {
    id: "test",
    name: "Test",
    version: "1.0.0",
    description: "",
    author: "",
    license: "",
    origin: "builtin",
    enabled: true,
    status: "running",
    lastError: undefined,
    retryAtMs: undefined,
    startedAtMs: undefined,
    restarts: 0,
    limits: {
      memoryMb: 512,
      cpuPercent: 100,
      timeoutMs: 1000,
      concurrency: 1,
      queue: 1,
      idleTimeoutMs: 0,
    },
    enforcement: undefined,
    capabilities,
    permissions: noPermissions,
    missingGrants: [],
    needsConsent: false,
    browser: false,
    engines: [],
    metrics: [],
    bundleDigest: undefined,
    autostart: false,
    healthy: undefined,
  };
}
