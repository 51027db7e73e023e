// The checks of `bkg doctor`, each against the real thing that it looks at.

import assert from "node:assert/strict";
import { join } from "node:path";
import { readConfig } from "../../config.ts";
import { databaseFolder } from "../../db/open.ts";
import { lockFolder } from "../../db/folder_lock.ts";
import { makeCertificate, opensslProblem } from "../../testing/certificates.ts";
import { postgresProblem, startPostgres } from "../../testing/postgres.ts";
import { skipUnless } from "../../testing/require.ts";
import { checkClock } from "./clock.ts";
import { checkDataFolder } from "./data_folder.ts";
import { checkDatabase } from "./database.ts";
import type { Finding } from "./finding.ts";
import { checkGpu, judgeAdapters } from "./gpu.ts";
import { checkMemory, readMemory } from "./memory.ts";
import { checkPort, checkReach, checkTls } from "./network.ts";

const configOf = (env: Record<string, string>) => readConfig({ HOME: "/home/me", ...env });
const line = ({ state, what, message }: Finding) => `${state} ${what}: ${message}`;

Deno.test("checkDataFolder: not there, no folder, open to others, not writable", async () => {
  await using folder = await makeFolder();
  const first = async (path: string) => line((await checkDataFolder(path))[0]!);
  assert.match(await first(join(folder.path, "a/b")), /^ok .*is made at the first start/);
  const file = join(folder.path, "file");
  await Deno.writeTextFile(file, "");
  assert.match(await first(file), /^fail .*is no folder/);
  assert.match(await first(join(file, "a")), /^fail .*cannot be made in/);
  assert.match(await first("/proc/bkg"), /^fail .*cannot be made in "\/proc"/);
  assert.match(await first("/proc"), /^fail .*cannot be written/);
  await Deno.chmod(folder.path, 0o750);
  assert.match(await first(folder.path), /^warn .*chmod 700/);
  await Deno.chmod(folder.path, 0o700);
  const [private_, disk] = await checkDataFolder(folder.path);
  assert.match(line(private_!), /^ok .*private and writable/);
  assert.match(line(disk!), /^\w+ disk: .*\d [MG]iB free/);
  assert.deepEqual([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["file"]);
});

Deno.test("checkDatabase: PGlite's folder is free, the server's, or another process's", async () => {
  await using folder = await makeFolder();
  const check = async (isServed: boolean) => {
    const options = { dataDir: folder.path, url: undefined, isServed, nowMs: Date.now() };
    return line((await checkDatabase(options))[0]!);
  };
  assert.match(await check(false), /^ok .*made at the start/);
  assert.equal(await Deno.stat(databaseFolder(folder.path)).catch(() => "none"), "none");
  {
    using _held = await lockFolder(databaseFolder(folder.path));
    assert.match(await check(true), /^ok .*held by the server/);
    assert.match(await check(false), /^fail .*in use by another bkg; stop it/);
  }
  assert.match(await check(false), /^ok .*nobody holds/);
  assert.match(await check(true), /^warn .*not the running server's/);
});

Deno.test({
  name: "checkDatabase: PostgreSQL with its version, pgvector and clock; its URL in no message",
  ignore: skipUnless("doctor and PostgreSQL", postgresProblem()),
  async fn() {
    await using postgres = await startPostgres();
    const check = async (url: string, nowMs = Date.now()) =>
      (await checkDatabase({ dataDir: "/none", url, isServed: false, nowMs })).map(line).join("\n");
    assert.match(
      await check(postgres.url),
      /^ok database: PostgreSQL 1\d.* ms\nok pgvector: [\d.]+$/,
    );
    assert.match(await check(postgres.url, 0), /warn clock: is \d+ s apart/);
    const wrong = new URL(postgres.url);
    wrong.password = "hush-hush";
    const refused = await check(wrong.href);
    assert.match(refused, /^fail database: .*BKG_DATABASE_URL/);
    assert.doesNotMatch(refused, /hush/);
    await postgres.stop();
    assert.match(await check(postgres.url), /^fail database: /);
  },
});

Deno.test("checkMemory: against the tighter of machine and control group", () => {
  const gib = 1024 ** 3;
  const check = (total: number, available: number, limit?: number) =>
    line(checkMemory({ totalBytes: total, availableBytes: available, limitBytes: limit }));
  assert.match(check(16 * gib, 8 * gib), /^ok memory: 16 GiB, 8 GiB free/);
  assert.match(check(16 * gib, 8 * gib, 2 ** 62), /^ok/);
  assert.match(
    check(16 * gib, 8 * gib, 4 * gib),
    /^ok .*4 GiB by its control group's limit, 4 GiB/,
  );
  assert.match(check(16 * gib, 8 * gib, gib), /^warn .*small models/);
  assert.match(check(16 * gib, 8 * gib, gib / 2), /^fail memory: 512 MiB .* need 600 MiB/);
  assert.match(check(gib / 2, gib / 4), /^fail/);
  assert.match(check(16 * gib, gib / 4), /^warn .*only 256 MiB free/);
  assert.ok(readMemory().totalBytes >= readMemory().availableBytes);
});

Deno.test("checkGpu: asks in another process; software is no GPU", async () => {
  assert.match(line(await checkGpu()), /^\w+ GPU: ./);
  assert.match(line(judgeAdapters([])), /^ok GPU: none found/);
  const software = { name: "llvmpipe", isSoftware: true };
  assert.match(line(judgeAdapters([software])), /^ok GPU: none but llvmpipe/);
  const real = { name: "Card\u001b[2J\n X", isSoftware: false };
  assert.doesNotMatch(judgeAdapters([software, real]).message, /\p{Cc}|llvmpipe/u);
});

Deno.test("checkPort: free, taken, not to be bound", () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const config = (host: string, port: number) =>
    configOf({ BKG_HOST: host, BKG_PORT: String(port) });
  const { port } = taken.addr;
  assert.match(line(checkPort(config("127.0.0.1", port), true)), /^ok .*is served by bkg/);
  assert.match(line(checkPort(config("127.0.0.1", port), false)), /^fail .*set BKG_PORT/);
  assert.match(line(checkPort(config("127.0.0.1", 0), false)), /^ok/);
  assert.match(line(checkPort(config("203.0.113.7", 43119), false)), /^fail .*set BKG_HOST/);
});

Deno.test("checkReach: what contradicts in the way to the server", () => {
  const check = (env: Record<string, string>) => line(checkReach(configOf(env)));
  assert.match(check({}), /^ok reach: this machine alone/);
  const publicUrl = { BKG_PUBLIC_URL: "https://bkg.example.org" };
  assert.match(check(publicUrl), /^warn .*BKG_TRUSTED_PROXIES is unset/);
  assert.match(check({ ...publicUrl, BKG_TRUSTED_PROXIES: "loopback" }), /^ok .*bkg.example.org/);
  assert.match(check({ ...publicUrl, BKG_TRUSTED_PROXIES: "127.0.0.0/8" }), /^ok/);
  assert.match(check({ ...publicUrl, BKG_TRUSTED_PROXIES: "10.0.0.1" }), /^warn .*add "loopback"/);
  const open = { BKG_HOST: "0.0.0.0" };
  assert.match(check(open), /^warn .*without encryption/);
  assert.match(
    check({ ...open, BKG_TLS_CERT: "/a", BKG_TLS_KEY: "/b" }),
    /^ok .*0\.0\.0\.0, by TLS/,
  );
  const plain = { ...open, BKG_PUBLIC_URL: "http://bkg.lan", BKG_TRUSTED_PROXIES: "private" };
  assert.match(check(plain), /^warn .*keys travel in the open/);
});

Deno.test({
  name: "checkTls: absent, broken, expired, and for other names",
  ignore: skipUnless("doctor and TLS", opensslProblem()),
  async fn() {
    await using folder = await makeFolder();
    const check = (tls: { tlsCert: string; tlsKey: string }, env: Record<string, string> = {}) =>
      checkTls(
        configOf({ BKG_TLS_CERT: tls.tlsCert, BKG_TLS_KEY: tls.tlsKey, ...env }),
        Date.now(),
      ).map(line).join("\n");
    assert.deepEqual(checkTls(configOf({}), 0), []);
    const good = await makeCertificate(folder.path);
    assert.match(
      check(good),
      /^ok certificate: fits its key, for localhost, 127.0.0.1; 29 days left$/,
    );
    const other = { BKG_PUBLIC_URL: "https://bkg.example.org" };
    assert.match(check(good, other), /^ok .*\nwarn .*and not for bkg\.example\.org/);
    assert.match(check({ ...good, tlsKey: "/none.key" }), /^fail .*"\/none\.key"/);
    const soon = await makeCertificate(folder.path, { name: "soon", days: 3 });
    assert.match(check(soon), /^warn .*it expires in 2 days/);
    const past = await makeCertificate(folder.path, { name: "past", days: -2 });
    assert.match(check(past), /^fail .*it expired on/);
  },
});

Deno.test("checkClock: long ago, and before what was written", async () => {
  await using folder = await makeFolder();
  const check = async (nowMs: number) => line(await checkClock(folder.path, nowMs));
  assert.match(await check(0), /^fail clock: says 1970.*NTP/);
  assert.match(await check(Date.now()), /^ok/);
  await Deno.writeTextFile(join(folder.path, "admin-token"), "");
  assert.match(await check(Date.now()), /^ok/);
  assert.match(await check(Date.now() - 86_400_000), /^warn .*"admin-token" was changed later/);
});

async function makeFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "bkg-doctor-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
