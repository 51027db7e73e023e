// A stranger's plugin that says everything it can say in the worst way, and does everything that a plugin's page
// shows: lines of a log, a stream, an error, settings with a secret, permissions.

import assert from "node:assert/strict";
import { join } from "node:path";
import type { ServerProcess } from "../server_process.ts";

export const noisyId = "noisy";

/** Becomes an element with the id "owned", and names the document so, wherever it is taken for markup. */
export const markup = `<img id=owned src=x onerror="document.title='owned'">`;

export const hostileLines: readonly string[] = [
  markup,
  "<script id=owned>document.title='owned'</script>",
  "\u202eturned around\u2066 \u200f",
  "\u001b[31mred\u0007\u0000",
  "x".repeat(8192),
  "first\nsecond\r\nthird",
  "\u0301".repeat(200),
];

export interface NoisyManifest {
  version?: string;
  name?: string;
}

/** Writes it into `folder`, for BKG_PLUGIN_PATHS; again to change its plugin.json. */
export async function writeNoisyPlugin(
  folder: string,
  { version = "1.2.3", name = `\u202egnp.exe ${markup}` }: NoisyManifest = {},
): Promise<void> {
  const home = join(folder, noisyId);
  await Deno.mkdir(home, { recursive: true });
  await Deno.writeTextFile(
    join(home, "plugin.json"),
    JSON.stringify({
      contract: "1",
      id: noisyId,
      name,
      version,
      description: `${markup} ${"\u202e".repeat(50)}`,
      author: markup,
      license: markup,
      capabilities,
      settings,
      permissions: { fetch: ["api.example.org"], commands: [["git", markup]] },
      limits: { idleTimeoutMs: 0 },
    }),
  );
  await Deno.writeTextFile(join(home, "plugin.js"), code);
}

/** Consents to its start, and gives it nothing of what it asks for. */
export async function startNoisy(server: ServerProcess): Promise<void> {
  const decided = await server.fetch(`/api/plugins/${noisyId}/grants`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  assert.equal(decided.status, 200, await decided.text());
  const started = await server.fetch(`/api/plugins/${noisyId}/start`, { method: "POST" });
  assert.equal(started.status, 200, await started.text());
}

/** Calls one of its capabilities; throws when that fails. */
export async function callNoisy(
  server: ServerProcess,
  capability: string,
  input: unknown,
): Promise<unknown> {
  const response = await server.fetch(`/api/capabilities/${capability}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(input),
  });
  const text = await response.text();
  assert.ok(response.ok, text);
  return JSON.parse(text);
}

const capabilities = [
  {
    id: "noisy.count",
    title: `Count ${markup}`,
    description: markup,
    streaming: true,
    inputSchema: {
      type: "object",
      properties: { to: { type: "integer", title: "To", minimum: 1, maximum: 1_000_000 } },
      required: ["to"],
      additionalProperties: false,
    },
    outputSchema: true,
    examples: [{ title: markup, input: { to: 1_000_000 } }],
  },
  { id: "noisy.fail", title: "Fail", inputSchema: true, outputSchema: true },
  { id: "noisy.echo", title: "Echo", inputSchema: hostileSchema(), outputSchema: true },
  { id: "noisy.write", title: "Write", inputSchema: true, outputSchema: true },
];

const settings = {
  type: "object",
  properties: {
    threads: { type: "integer", title: "Threads", minimum: 1, maximum: 16, default: 2 },
    apiKey: { type: "string", title: "API key", minLength: 4, writeOnly: true },
  },
  additionalProperties: false,
};

/** A thousand fields, a schema that holds itself, a choice of thousands, and markup for names. */
function hostileSchema() {
  const fields = Array.from({ length: 1000 }, (_, index) => [`f${index}`, { type: "string" }]);
  return {
    type: "object",
    $defs: {
      node: {
        type: "object",
        properties: { label: { type: "string" }, next: { $ref: "#/$defs/node" } },
      },
    },
    properties: {
      text: { type: "string", title: markup, description: markup, examples: [markup] },
      [markup]: { enum: [markup, "other"] },
      wide: { type: "object", title: "Wide", properties: Object.fromEntries(fields) },
      node: { title: "Node", $ref: "#/$defs/node" },
      huge: { title: "Huge", enum: Array.from({ length: 5000 }, (_, index) => `value ${index}`) },
    },
  };
}

/** `noisy.write` takes {lines: [{message, level?, fields?}]}, or {count, from} for as many "line <n>". */
const code = `import { definePlugin } from "@bkg/plugin";
export default definePlugin({
  setup({ log, settings }) {
    log.info("Ready with " + settings.threads + " threads, key of " + (settings.apiKey ?? "").length);
    return { log };
  },
  capabilities: {
    async *"noisy.count"({ to }, { signal }) {
      for (let n = 1; n <= to && !signal.aborted; n++) {
        yield { n };
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
    "noisy.fail": () => { throw new Error(${JSON.stringify(`On purpose: ${markup}`)}); },
    "noisy.echo": (input) => input,
    async "noisy.write"({ lines = [], count = 0, from = 0 }, { state: { log } }) {
      for (const { level = "info", message, fields } of lines) log[level](message, fields);
      for (let n = from; n < from + count; n++) {
        log.info("line " + n);
        // Of more than a thousand in a second the host keeps none.
        if ((n - from) % 50 === 49) await new Promise((resolve) => setTimeout(resolve, 75));
      }
      return null;
    },
  },
});
`;
