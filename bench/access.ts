// What accounts cost a call, and how soon a revocation holds: for the next call, a stream and a socket.

import { openTestAccess } from "../server/testing/test_access.ts";
import { openTestDatabase } from "../server/testing/test_database.ts";
import { type ServerProcess, startServer } from "../server/testing/server_process.ts";
import { median, type Section } from "./report.ts";

const rounds = 15;
const callsARound = 200_000;

export async function measureAccess(): Promise<Section> {
  const { authenticated, looked } = await measureAuthentication();
  const revoked = await measureRevocation();
  const soon = (ms: readonly number[]) => `${Math.max(0, median(ms)).toFixed(1)} ms`;
  return {
    title: "Access",
    how:
      `Authentication: a bearer that was seen before, ${
        callsARound.toLocaleString("en")
      } times a ` +
      `round, ${rounds} rounds. Revocation: a key is revoked over HTTP ${rounds} times ` +
      "while it has a call's stream and a socket open; from the moment its 200 is read until the next call " +
      "is 401, the stream has ended, the socket is closed. 0 is before the 200 was read.",
    rows: [
      {
        what: "authentication of an API key, seen before",
        measured: `${authenticated.toFixed(2)} µs`,
        reference: `a look into a Map ${looked.toFixed(2)} µs`,
        budget: "≤ 10 µs",
        met: authenticated <= 10,
      },
      ...(["call", "stream", "socket"] as const).map((what) => ({
        what: `revocation until the ${what === "call" ? "next call is refused" : `${what} ends`}`,
        measured: soon(revoked[what]),
        reference: `longest ${Math.max(0, ...revoked[what]).toFixed(1)} ms`,
        budget: "≤ 100 ms",
        met: Math.max(...revoked[what]) <= 100,
      })),
    ],
  };
}

async function measureAuthentication(): Promise<{ authenticated: number; looked: number }> {
  await using database = await openTestDatabase();
  await using access = await openTestAccess(database.db);
  const { key } = await access.keys.create({ userId: "operator", name: "bench", scopes: ["*"] });
  await access.auth.authenticate(key);
  const map = new Map([[key, access]]);
  const timed = (run: () => void) => {
    const startedAtMs = performance.now();
    for (let count = 0; count < callsARound; count++) run();
    return (performance.now() - startedAtMs) * 1000 / callsARound;
  };
  const authenticated: number[] = [];
  const looked: number[] = [];
  for (let round = 0; round < rounds; round++) {
    authenticated.push(timed(() => void access.auth.authenticate(key)));
    looked.push(timed(() => void map.get(key)));
  }
  return { authenticated: median(authenticated), looked: median(looked) };
}

type Ends = Record<"call" | "stream" | "socket", number[]>;

async function measureRevocation(): Promise<Ends> {
  await using server = await startServer({});
  const ends: Ends = { call: [], stream: [], socket: [] };
  // The first call starts the plugin's cell.
  for (let round = -1; round < rounds; round++) {
    const measured = await revokeOnce(server);
    if (round < 0) continue;
    for (const what of ["call", "stream", "socket"] as const) ends[what].push(measured[what]);
  }
  return ends;
}

async function revokeOnce(server: ServerProcess): Promise<Record<keyof Ends, number>> {
  const made = await server.fetch("/api/keys", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: "bench", scopes: ["invoke:llm.chat", "plugins:read"] }),
  });
  const { key, view } = await made.json() as { key: string; view: { id: string } };
  const bearer = { authorization: `Bearer ${key}` };
  const stream = await fetch(`${server.url}/api/capabilities/llm.chat`, {
    method: "POST",
    headers: { ...bearer, "content-type": "application/json", accept: "text/event-stream" },
    body: JSON.stringify(endlessStory),
  });
  const streamEnd = drained(stream);
  const socket = new WebSocket(`${server.url.replace("http", "ws")}/ws/plugins`, [
    "bkg",
    `bearer.${key}`,
  ]);
  await new Promise((resolve) => socket.onmessage = resolve);
  const socketEnd = new Promise<number>((resolve) =>
    socket.onclose = () => resolve(performance.now())
  );
  const revoked = await server.fetch(`/api/keys/${view.id}`, { method: "DELETE" });
  await revoked.body?.cancel();
  const atMs = performance.now();
  let call: Response;
  do {
    call = await fetch(`${server.url}/auth/me`, { headers: bearer });
    await call.body?.cancel();
  } while (call.status !== 401);
  const callEnd = performance.now();
  return { call: callEnd - atMs, stream: await streamEnd - atMs, socket: await socketEnd - atMs };
}

/** Said over and over, it fills the model's context: it lasts for seconds. */
const endlessStory = {
  model: "demo-stories-q8_0",
  messages: [{ role: "user", content: "Tell me a story" }],
  maxTokens: 2000,
  temperature: 0,
  repeatPenalty: 0.7,
};

/** When its last byte was read. */
async function drained(response: Response): Promise<number> {
  try {
    for await (const _ of response.body ?? []);
  } catch {
    // Cut: an end too.
  }
  return performance.now();
}
