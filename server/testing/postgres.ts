// A real PostgreSQL with pgvector for tests: a cluster of its own in a throw-away folder, on a free port of the
// loopback. A watcher ends and removes it even when the tests' own process is killed, so nothing stays behind.

import { join } from "node:path";

export interface TestPostgres extends AsyncDisposable {
  /** Of the database "postgres", as a superuser. It stays the same over restarts. */
  readonly url: string;
  /** The folder of the programs: psql, pg_dump... */
  readonly binDir: string;
  /** What the server wrote so far; its last 64 Ki characters. */
  log(): string;
  /** Ends every session and starts again; also starts one that was killed. */
  restart(): Promise<void>;
  /** Kills all of its processes at once, as a crash does; `restart` recovers. */
  kill(): Promise<void>;
  /** Ends the server and removes its folder. */
  stop(): Promise<void>;
}

export interface StartPostgresOptions {
  /** Whether a commit waits for the disk, for tests of durability; else nothing does. */
  fsync?: boolean;
  /** Further settings of the server, such as `max_connections`. */
  settings?: Record<string, string>;
  /** Where its folder is made, open to all; else where the system keeps temporary files. */
  parentDir?: string;
}

interface Account {
  uid?: number;
  gid?: number;
}

/** One life of the server, from its start to its end. */
interface Server {
  pid: number;
  /** Settles when its last process is gone. */
  ended: Promise<void>;
}

const waitMs = 30_000;
const logLength = 64 * 1024;
const user = "bkg";

// Below the ports that the system gives to outgoing connections, so that a restart finds its port free.
const ports = { first: 20_000, count: 12_000 };

// A line says that the server ended as it should; the end of the input, that the tests are gone.
const watch = `trap "" INT TERM HUP
read -r _ && exit
kill -QUIT "$1"
for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$1" 2>/dev/null || break; sleep 0.5; done
rm -rf "$2"`;

/** What is absent for `startPostgres`, and how to get it; undefined when all is there. */
export function postgresProblem(): string | undefined {
  if (findPrograms() === undefined) {
    return 'PostgreSQL with pgvector is absent; on Debian and Ubuntu ".ci/install-postgres" installs both';
  }
  if (findAccount() === undefined) {
    return 'PostgreSQL does not run as root, and the users "postgres" and "nobody" are absent';
  }
  return undefined;
}

/** A running server; where it does not start, the error carries its log. */
export async function startPostgres(options: StartPostgresOptions = {}): Promise<TestPostgres> {
  const binDir = findPrograms();
  const account = findAccount();
  if (binDir === undefined || account === undefined) throw new Error(postgresProblem());

  const { parentDir: dir } = options;
  const folder = await Deno.makeTempDir({ prefix: "bkg-postgres-", ...(dir && { dir }) });
  const dataDir = join(folder, "data");
  const password = crypto.randomUUID();
  const port = findFreePort();
  let log = "";
  let server: Server | undefined;

  async function createCluster(): Promise<void> {
    const passwordFile = join(folder, "password");
    await Deno.writeTextFile(passwordFile, password, { mode: 0o600 });
    if (account?.uid !== undefined) {
      for (const path of [folder, passwordFile]) {
        await Deno.chown(path, account.uid, account.gid ?? null);
      }
    }
    const { success, stderr } = await new Deno.Command(join(binDir!, "initdb"), {
      args: [
        ...["--pgdata", dataDir, "--username", user, "--pwfile", passwordFile, "--no-sync"],
        ...["--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8"],
      ],
      cwd: folder,
      ...account,
      signal: AbortSignal.timeout(waitMs),
    }).output();
    if (!success) throw new Error(`initdb failed:\n${new TextDecoder().decode(stderr)}`);
  }

  async function start(): Promise<void> {
    const settings = {
      fsync: options.fsync ? "on" : "off",
      synchronous_commit: options.fsync ? "on" : "off",
      full_page_writes: options.fsync ? "on" : "off",
      shared_buffers: "16MB",
      listen_addresses: "127.0.0.1",
      port: String(port),
      unix_socket_directories: folder,
      ...options.settings,
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const child = new Deno.Command(join(binDir!, "postgres"), {
      args: ["-D", dataDir, ...flags],
      cwd: folder,
      ...account,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const watcher = startWatcher(child.pid);
    const ready = Promise.withResolvers<void>();

    // Each of its processes holds the log open: its end is the end of the last one.
    const collect = async () => {
      let text = "";
      for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
        text = (text + chunk).slice(-logLength);
        log = (log + chunk).slice(-logLength);
        if (text.includes("ready to accept connections")) ready.resolve();
      }
      await child.status;
      ready.reject(new Error(`PostgreSQL did not start:\n${text}`));
      await watcher.dismiss();
    };
    server = { pid: child.pid, ended: collect() };
    await within(ready.promise, () => `PostgreSQL is not ready:\n${log}`);
  }

  function startWatcher(pid: number): { dismiss(): Promise<void> } {
    const child = new Deno.Command("/bin/sh", {
      args: ["-c", watch, "sh", String(pid), folder],
      cwd: "/",
      ...account,
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    }).spawn();
    return {
      async dismiss() {
        const input = child.stdin.getWriter();
        await input.write(new TextEncoder().encode("\n"));
        await input.close();
        await child.status;
      },
    };
  }

  async function end(signal: "SIGINT" | "SIGQUIT" | "SIGKILL"): Promise<void> {
    if (server === undefined) return;
    const { pid, ended } = server;
    // A busy session would outlive the server that is killed.
    const sessions = signal === "SIGKILL" ? childrenOf(pid) : [];
    for (const process of [pid, ...sessions]) sendSignal(process, signal);
    await within(ended, () => `PostgreSQL does not end after ${signal}:\n${log}`);
    server = undefined;
  }

  async function stop(): Promise<void> {
    try {
      await end("SIGQUIT").catch(() => end("SIGKILL"));
    } finally {
      await Deno.remove(folder, { recursive: true }).catch((error) => {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      });
    }
  }

  try {
    await createCluster();
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: `postgres://${user}:${password}@127.0.0.1:${port}/postgres`,
    binDir,
    log: () => log,
    async restart() {
      await end("SIGINT");
      await start();
    },
    kill: () => end("SIGKILL"),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** The folder of the newest version that has pgvector, as Debian lays it out or on PATH. */
function findPrograms(): string | undefined {
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  try {
    for (const { name } of Deno.readDirSync("/usr/lib/postgresql")) {
      folders.push(`/usr/lib/postgresql/${name}/bin`);
    }
  } catch {
    // Not Debian, or none there.
  }
  return folders
    .filter((folder) => isFile(join(folder, "initdb")) && isFile(join(folder, "pg_config")))
    .map((folder) => {
      const args = ["--version", "--sharedir"];
      const { stdout } = new Deno.Command(join(folder, "pg_config"), { args }).outputSync();
      const [version = "", shareDir = ""] = new TextDecoder().decode(stdout).split("\n");
      return { folder, version: parseFloat(version.replace(/^\D+/, "")), shareDir };
    })
    .filter(({ shareDir }) => isFile(join(shareDir, "extension", "vector.control")))
    .sort((one, other) => other.version - one.version)[0]?.folder;
}

/** Who the server runs as: oneself, and in place of root a user without rights. */
function findAccount(): Account | undefined {
  if (Deno.uid() !== 0) return {};
  const lines = Deno.readTextFileSync("/etc/passwd").split("\n").map((line) => line.split(":"));
  const line = lines.find(([name]) => name === "postgres") ??
    lines.find(([name]) => name === "nobody");
  return line && { uid: Number(line[2]), gid: Number(line[3]) };
}

function findFreePort(): number {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = ports.first + Math.floor(Math.random() * ports.count);
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch {
      // Taken; the next one.
    }
  }
  throw new Error("No free port was found");
}

function childrenOf(pid: number): number[] {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).split(" ").filter(Boolean)
      .map(Number);
  } catch {
    return []; // No /proc: they notice by themselves that the server is gone.
  }
}

function sendSignal(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch {
    // It ended by itself.
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

async function within<T>(promise: Promise<T>, problem: () => string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(problem())), waitMs);
  return await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
