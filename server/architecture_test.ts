// Pins DESIGN's import rules: the tree is the architecture, and this is what keeps it so.

import assert from "node:assert/strict";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Rooms, longest path first, with the rooms that each may import. Its own room is always allowed. */
const rooms: Record<string, readonly string[]> = {
  "plugins/runtime/contract": [],
  "plugins/runtime/channel": ["plugins/runtime/contract"],
  "plugins/runtime/engines": [
    "plugins/runtime/contract",
    "plugins/runtime/boot/prelude.ts",
    "models/gguf.ts",
  ],
  "plugins/runtime/guest": [
    "plugins/runtime/contract",
    "plugins/runtime/channel",
    "plugins/runtime/engines",
  ],
  "plugins/runtime/host": ["plugins/runtime/contract", "plugins/runtime/channel"],
  "plugins/runtime/boot": [
    "plugins/runtime/contract",
    "plugins/runtime/channel",
    "plugins/runtime/guest",
    "plugins/runtime/engines",
  ],
  "plugins/apikeys": ["@bkg/plugin"],
  "plugins/candle": ["@bkg/plugin"],
  "plugins/llmserver": ["@bkg/plugin"],
  "models": ["plugins/runtime/contract"],
  "server/build": [
    "plugins/runtime/boot",
    "plugins/runtime/contract",
    "server/db/db.ts",
    "server/db/migrate.ts",
    "server/db/template.ts",
  ],
  "server/db": ["plugins/runtime/contract", "plugins/runtime/host", "models", "server/config.ts"],
  "server/cells": [
    "plugins/runtime/contract",
    "plugins/runtime/channel",
    "plugins/runtime/boot",
    "plugins/runtime/host",
    "plugins/runtime/engines/wllama/stop_strings.ts",
    "plugins/runtime/engines/wllama/token_tape.ts",
  ],
  "server/engines": [
    "plugins/runtime/contract",
    "models",
    "server/config.ts",
    "server/cells/native/native_engines.ts",
  ],
  "server/auth": [
    "plugins/runtime/contract",
    "plugins/runtime/host",
    "server/config.ts",
    "server/db",
  ],
  "server/services": [
    "plugins/runtime/contract",
    "plugins/runtime/host",
    "models",
    "server/auth",
    "server/config.ts",
    "server/build",
    "server/db",
    "server/engines",
    "server/http/static_files.ts",
    "server/log.ts",
  ],
  "ui": [
    "plugins/runtime/contract",
    "plugins/runtime/channel",
    "plugins/runtime/host",
    "plugins/runtime/boot",
    "models",
  ],
  "server/observability": ["plugins/runtime/contract", "plugins/runtime/host", "server/log.ts"],
  "server/ws": [
    "plugins/runtime/contract",
    "plugins/runtime/channel",
    "plugins/runtime/host",
    "server/auth",
    "models",
    "server/http/services.ts",
    "server/http/route_rules.ts",
    "server/http/json_text.ts",
    "server/log.ts",
  ],
  "server/http": [
    "plugins/runtime/contract",
    "plugins/runtime/channel",
    "plugins/runtime/host",
    "server/auth",
    "server/services",
    "server/observability",
    "server/config.ts",
    "server/log.ts",
    "models",
  ],
};

/** Rooms that run in a browser too: they may not touch Deno. */
const neutral = [
  "plugins/runtime",
  "plugins/apikeys",
  "plugins/candle",
  "plugins/llmserver",
  "server/http",
  "models",
  "ui",
];
/** The file system side of models, and what tests and builds use. */
const notNeutral = [
  /^models\/(store|pull)\//,
  /_test\.ts$/,
  /\/testing/,
  /\/conformance\w*\.ts$/,
];

/** Tests reach what they test, and so do the helpers beside them. */
const isForTests = /_test\.ts$|^plugins\/.*\/testing_\w+\.ts$/;

Deno.test("imports follow the design", async () => {
  const broken: string[] = [];
  for await (const { path, text } of sources()) {
    const room = roomOf(path);
    const allowed = room === undefined ? undefined : rooms[room];
    if (room === undefined || allowed === undefined || isForTests.test(path)) continue;
    for (const specifier of importsOf(text)) {
      const target = specifier.startsWith(".")
        ? relative(root, normalize(join(root, dirname(path), specifier)))
        : specifier;
      if (!specifier.startsWith(".")) {
        const barred = room.startsWith("plugins/") && !room.startsWith("plugins/runtime") &&
          specifier !== "@bkg/plugin";
        if (barred) broken.push(`${path} imports "${specifier}"`);
        continue;
      }
      const ok = isIn(target, room) || allowed.some((place) => isIn(target, place));
      if (!ok) broken.push(`${path} imports "${target}"`);
    }
  }
  assert.deepEqual(broken, []);
});

Deno.test("neutral rooms do not touch Deno", async () => {
  const broken: string[] = [];
  for await (const { path, text } of sources()) {
    const isNeutral = neutral.some((room) => isIn(path, room)) &&
      !notNeutral.some((pattern) => pattern.test(path));
    if (isNeutral && /\bDeno\s*[.[]/.test(withoutComments(text))) broken.push(path);
  }
  assert.deepEqual(broken, []);
});

Deno.test("HTTP and WebSocket reach plugins through the guarded bus alone", async () => {
  const around = [
    /\bhost\s*\??\.\s*bus\b|\bhost\s*\[\s*["'`]bus/,
    /\{[^{}]*\bbus\b[^{}]*\}\s*=\s*[\w.]*\bhost\b/,
    /import[^;]*\b(?:Bus|PluginHost)\b[^;]*runtime\/host\/(?:bus|plugin_host)\.ts/,
    /import[^;]*[{\s,]Bus\b[^;]*runtime\/host\/host\.ts/,
  ];
  const broken: string[] = [];
  for await (const { path, text } of sources()) {
    const face = isIn(path, "server/http") || isIn(path, "server/ws");
    if (!face || path.endsWith("_test.ts")) continue;
    if (around.some((pattern) => pattern.test(withoutComments(text)))) broken.push(path);
  }
  assert.deepEqual(broken, []);
});

Deno.test("only config.ts reads the environment", async () => {
  const broken: string[] = [];
  for await (const { path, text } of sources()) {
    const exempt = path === "server/config.ts" || path.endsWith("_test.ts") ||
      isIn(path, "server/testing") || isIn(path, "bench");
    if (!exempt && /\bDeno\.env\b/.test(withoutComments(text))) broken.push(path);
  }
  assert.deepEqual(broken, []);
});

Deno.test("the runtime's rooms import each other without a cycle", () => {
  const visit = (room: string, path: string[]): void => {
    assert.ok(!path.includes(room), `cycle: ${[...path, room].join(" -> ")}`);
    for (const next of rooms[room] ?? []) {
      // Constants and types that a lower room borrows by file are no edge between rooms.
      if (next in rooms) visit(next, [...path, room]);
    }
  };
  for (const room of Object.keys(rooms)) visit(room, []);
});

async function* sources(folder = ""): AsyncGenerator<{ path: string; text: string }> {
  for await (const entry of Deno.readDir(join(root, folder))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory && !/^(?:\.|dist$|node_modules$)/.test(entry.name)) yield* sources(path);
    else if (entry.isFile && entry.name.endsWith(".ts")) {
      yield { path, text: await Deno.readTextFile(join(root, path)) };
    }
  }
}

function roomOf(path: string): string | undefined {
  return Object.keys(rooms)
    .filter((room) => isIn(path, room))
    .sort((a, b) => b.length - a.length)[0];
}

function isIn(path: string, place: string): boolean {
  return path === place || path.startsWith(`${place}/`);
}

function importsOf(text: string): string[] {
  const pattern =
    /(?:^|\n)\s*(?:import|export)\b[^;"'`]*?from\s*["']([^"']+)["']|import\(\s*["']([^"']+)["']\s*\)|(?:^|\n)\s*import\s*["']([^"']+)["']/g;
  return [...withoutComments(text).matchAll(pattern)]
    .map((match) => match[1] ?? match[2] ?? match[3] ?? "")
    .filter((specifier) => specifier !== "");
}

function withoutComments(text: string): string {
  return text.replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, "");
}
