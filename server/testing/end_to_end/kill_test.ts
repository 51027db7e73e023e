// A server that is killed again and again while clients write: what one of them saw answered with 2xx is there after the
// next start, whole, and of what was not answered either all or nothing is.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { hashSecret } from "../../auth/secrets.ts";
import { openDatabase } from "../../db/open.ts";
import { postgresProblem, startPostgres, type TestPostgres } from "../postgres.ts";
import { skipUnless } from "../require.ts";
import { type ServerProcess, startServer } from "../server_process.ts";
import { databaseOptions } from "../test_database.ts";

const kills = 50;
/** From the first answer of a round to its kill, at most. */
const longestMs = 150;
/** Few, so that all are looked at after each kill. */
const usersEach = 12;

const nameFor = (engine: string) =>
  `kill -9 of the server at ${kills} random moments under writes loses nothing that was answered: ${engine}`;

Deno.test(nameFor("PGlite"), () => killOften("PGlite"));

Deno.test({
  name: nameFor("PostgreSQL"),
  ignore: skipUnless(nameFor("PostgreSQL"), postgresProblem()),
  fn: async () => {
    await using postgres = await startPostgres({ fsync: true });
    await killOften("PostgreSQL", postgres);
  },
});

async function killOften(engine: string, postgres?: TestPostgres): Promise<void> {
  const dataDir = await Deno.makeTempDir({ prefix: "bkg-test-" });
  const url = postgres?.url;
  const start = () =>
    startServer({ dataDir, env: url === undefined ? {} : { BKG_DATABASE_URL: url } });
  const clients = [
    ...[chatClient("a-long-chat"), chatClient("another-chat"), chatClient("a-third-chat")],
    ...[userClient("ada"), userClient("bob"), configClient("llmserver"), configClient("apikeys")],
  ];
  let acknowledged = 0;
  let killed: number[] = [];
  try {
    for (let round = 0; round < kills; round++) {
      // At once, as a service manager does: the folder must be free by then.
      await using server = await start();
      for (const client of clients) await client.check(server);
      assert.deepEqual(killed.filter(isAlive), [], "a process outlives its server");
      killed = [server.pid, ...childrenOf(server.pid)];
      // By turns the server alone, and all of its processes at once.
      const pids = round % 2 === 0 ? [server.pid] : killed;
      const afterMs = Math.random() * longestMs;
      acknowledged += await writeUntilKilled(server, clients, { afterMs, pids });
    }
    await postgres?.kill();
    await postgres?.restart();
    {
      await using server = await start();
      for (const client of clients) await client.check(server);
    }
    await using db = await openDatabase({ ...await databaseOptions(dataDir), url });
    // A user and the invitation are one transaction.
    const rows = await db.sql`
      select name, hash from users left join invitations on user_id = users.id
      where password_hash is null and id <> 'operator' order by name`;
    const halves = rows.filter(({ hash }) => typeof hash !== "string");
    assert.deepEqual(halves, []);
    const hashes = new Map(rows.map(({ name, hash }) => [name, hash]));
    assert.equal(hashes.size, rows.length);
    for (const [name, code] of clients.flatMap(({ codes }) => [...codes ?? []])) {
      assert.equal(hashes.get(name), hashSecret(code), name);
    }
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
  console.log(`${kills} kills on ${engine}, ${acknowledged} acknowledged, none lost`);
}

/** One thing after the other, as one page does. */
interface Client {
  /** Throws unless everything acknowledged is there; goes on from what it finds. */
  check(server: ServerProcess): Promise<void>;
  /** One change; `acknowledge` runs with the 2xx, before anything of its body is read. */
  write(request: (acknowledge: () => void, ask: Ask) => Promise<Response>): Promise<void>;
  /** Of invitations, by the name of the user: of those that were answered. */
  codes?: ReadonlyMap<string, string>;
}

interface Ask {
  method: string;
  path: string;
  body?: unknown;
}

/** Answers how many changes were acknowledged. */
async function writeUntilKilled(
  server: ServerProcess,
  clients: readonly Client[],
  { afterMs, pids }: { afterMs: number; pids: readonly number[] },
): Promise<number> {
  let acknowledged = 0;
  let isKilled = false;
  let isOver = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const kill = () => {
    isKilled = true;
    for (const pid of pids) sendKill(pid);
  };
  const write = async (client: Client) => {
    while (true) {
      await client.write(async (acknowledge, { method, path, body }) => {
        const response = await send(server, { method, path, body });
        acknowledge();
        acknowledged++;
        if (!isOver) timer ??= setTimeout(kill, afterMs);
        return response;
      });
    }
  };
  try {
    await Promise.all(clients.map(async (client) => {
      // What the kill does to a client is not its mistake; everything else is.
      await write(client).catch((error) => {
        if (!isKilled || error instanceof assert.AssertionError) throw error;
      });
    }));
  } finally {
    isOver = true;
    clearTimeout(timer);
  }
  return acknowledged;
}

/** A chat that grows and is stored whole with every turn. */
function chatClient(id: string): Client {
  const path = `/api/chats/${id}`;
  let stored = { version: 0, title: "", content: {} };
  let sent = stored;
  return {
    async check(server) {
      const response = await server.fetch(path);
      if (response.status === 404) assert.equal(stored.version, 0, `${id} is lost`);
      else {
        const { version, title, content } = await response.json();
        stored = oneOf({ version, title, content }, [stored, sent]);
      }
      sent = stored;
    },
    async write(request) {
      const { version } = stored;
      const messages = Array.from({ length: 30 }, (_, order) => ({
        id: `${version + 1}-${order}`,
        order,
        role: order % 2 === 0 ? "user" : "assistant",
        text: randomBytes(300).toString("base64"),
      }));
      const title = `Change ${version + 1}`;
      const content = { format: 1, messages };
      sent = { version: version + 1, title, content };
      const response = await request(() => stored = sent, {
        method: "PUT",
        path,
        body: { version, title, content, createdAtMs: 1 },
      });
      assert.equal((await response.json()).version, sent.version);
    },
  };
}

/** Invites users, and deletes them again when there are enough. */
function userClient(prefix: string): Client {
  /** Ids by name; of one whose answer was not read it is unknown. */
  let present = new Map<string, string>();
  /** Made without an answer: what may be half is kept, to be looked at in the end. */
  const kept = new Set<string>();
  const codes = new Map<string, string>();
  let unsure: string | undefined;
  let last = 0;
  return {
    codes,
    async check(server) {
      const response = await server.fetch(`/admin/users?limit=200&query=${prefix}-`);
      const { users } = await response.json() as { users: Record<string, unknown>[] };
      const found = new Map(users.map(({ name, id }) => [String(name), String(id)]));
      for (const name of new Set([...present.keys(), ...found.keys()])) {
        if (name === unsure) continue;
        // A deleted one has not come back, and one that was made has not gone.
        assert.equal(found.has(name), present.has(name), name);
      }
      for (const user of users) {
        assert.deepEqual([user["role"], user["status"]], ["user", "invited"]);
      }
      if (unsure !== undefined) {
        if (!found.has(unsure)) codes.delete(unsure);
        else if (!present.has(unsure)) kept.add(unsure);
      }
      unsure = undefined;
      present = found;
    },
    async write(request) {
      const disposable = [...present].filter(([name]) => !kept.has(name));
      if (disposable.length >= usersEach) {
        const [name, id] = disposable[0]!;
        unsure = name;
        const acknowledge = () => {
          present.delete(name);
          codes.delete(name);
          unsure = undefined;
        };
        const path = `/admin/users/${id}`;
        return void await (await request(acknowledge, { method: "DELETE", path })).body?.cancel();
      }
      const name = unsure = `${prefix}-${++last}`;
      const acknowledge = () => {
        present.set(name, "");
        unsure = undefined;
      };
      const body = { name, role: "user" };
      const response = await request(acknowledge, { method: "POST", path: "/admin/users", body });
      const { user, invitation } = await response.json();
      present.set(name, user.id);
      codes.set(name, invitation.code);
    },
  };
}

/** Sets limits of a plugin, all to one number. */
function configClient(pluginId: string): Client {
  const path = `/api/plugins/${pluginId}/config`;
  let stored: number | undefined;
  let sent = 1000;
  return {
    async check(server) {
      const { limits: { timeoutMs, idleTimeoutMs, queue } } = await (await server.fetch(path))
        .json();
      if (stored === undefined && timeoutMs !== sent) return;
      assert.deepEqual([idleTimeoutMs, queue], [timeoutMs, timeoutMs]);
      stored = sent = oneOf(timeoutMs, [stored, sent]);
    },
    async write(request) {
      const value = ++sent;
      const limits = { timeoutMs: value, idleTimeoutMs: value, queue: value };
      const acknowledge = () => stored = value;
      const response = await request(acknowledge, { method: "POST", path, body: { limits } });
      await response.body?.cancel();
    },
  };
}

function oneOf<Value>(found: Value, expected: readonly (Value | undefined)[]): Value {
  const same = expected.some((value) => JSON.stringify(value) === JSON.stringify(found));
  if (!same) assert.deepEqual(found, expected[0]);
  return found;
}

/** An answer that is no 2xx is a mistake at any time. */
async function send(server: ServerProcess, { method, path, body }: Ask): Promise<Response> {
  const response = await server.fetch(path, {
    method,
    headers: { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(10_000),
  });
  if (!response.ok) assert.fail(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response;
}

function childrenOf(pid: number): number[] {
  return Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).split(" ").filter(Boolean)
    .map(Number);
}

function sendKill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // A database's process that went with its server.
  }
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}
