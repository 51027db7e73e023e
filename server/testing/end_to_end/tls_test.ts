// bkg that speaks TLS itself, as a person has it: the server, its clients, its command line.

import assert from "node:assert/strict";
import { join } from "node:path";
import { projectRoot } from "../../build/bundles.ts";
import { serverEvents } from "../../cli/client.ts";
import { makeCertificate, opensslProblem } from "../certificates.ts";
import { skipUnless } from "../require.ts";
import { startServer } from "../server_process.ts";

const ignore = skipUnless("bkg with TLS", opensslProblem());

Deno.test({
  name: "a server with a certificate serves page, API, sockets and streams by https",
  ignore,
  async fn(t) {
    await using folder = await makeFolder();
    const { tlsCert, tlsKey } = await makeCertificate(folder.path, { altNames: "DNS:localhost" });
    const tls = { BKG_TLS_CERT: tlsCert, BKG_TLS_KEY: tlsKey };
    await using server = await startServer({ env: tls });
    assert.match(server.url, /^https:\/\/127\.0\.0\.1:/);
    assert.ok(server.output().includes(`Open   ${server.url}/#code=`));
    const { port } = new URL(server.url);
    const url = `https://localhost:${port}`;
    using client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(tlsCert)] });
    const headers = { authorization: `Bearer ${server.token}` };

    await t.step("page, link, API", async () => {
      const page = await fetch(`${url}/`, { client, headers: { accept: "text/html" } });
      assert.equal(page.status, 200);
      await page.body?.cancel();
      const made = await fetch(`${url}/auth/codes`, { method: "POST", client, headers });
      assert.ok((await made.json()).url.startsWith(`${url}/#code=`));
      const own = { ...headers, origin: url };
      const plugins = await fetch(`${url}/api/plugins`, { client, headers: own });
      assert.equal(plugins.status, 200);
      await plugins.body?.cancel();
    });

    await t.step("a WebSocket gets its bootstrap", async () => {
      const protocols = ["bkg", `bearer.${server.token}`];
      const socket = new WebSocket(`wss://localhost:${port}/ws/plugins`, { protocols, client });
      const first = Promise.withResolvers<{ type: string }>();
      socket.onmessage = ({ data }) => first.resolve(JSON.parse(data));
      socket.onerror = (event) => first.reject(new Error((event as ErrorEvent).message));
      assert.equal((await first.promise).type, "bootstrap");
      const closed = Promise.withResolvers<void>();
      socket.onclose = () => closed.resolve();
      socket.close();
      await closed.promise;
    });

    await t.step("a completion streams", async () => {
      const response = await fetch(`${url}/api/capabilities/llm.complete`, {
        method: "POST",
        client,
        headers: { ...headers, "content-type": "application/json", accept: "text/event-stream" },
        body: JSON.stringify({ model: "demo-stories-q8_0", prompt: "Once", maxTokens: 10 }),
      });
      const names = [];
      for await (const { name } of serverEvents(response.body)) names.push(name);
      assert.ok(names.length > 3 && names.at(-1) === "result", names.join());
    });

    await t.step(
      "the command line, here without a certificate, elsewhere with BKG_CA_FILE",
      async () => {
        const here = { ...tls, BKG_DATA_DIR: server.dataDir, BKG_PORT: port };
        const well = await bkg(["doctor"], here);
        assert.equal(well.code, 0, well.text);
        assert.match(well.text, /^ok +server +http:\/\/127\.0\.0\.1:\d+ is ready$/m);
        assert.match(well.text, /^ok +port .* is served by bkg$/m);
        assert.match(well.text, /^ok +database .* held by the server$/m);
        assert.match(well.text, /^ok +certificate .*for localhost; 29 days left$/m);

        const there = { BKG_DATA_DIR: folder.path, BKG_TOKEN: server.token, BKG_URL: url };
        const trusted = await bkg(["plugin", "list"], { ...there, BKG_CA_FILE: tlsCert });
        assert.equal(trusted.code, 0, trusted.text);
        assert.match(trusted.text, /llmserver/);
        const strange = await bkg(["plugin", "list"], there);
        assert.equal(strange.code, 1);
        assert.match(
          strange.text,
          /certificate of https:\S+ is not accepted: UnknownIssuer.*BKG_CA_FILE/,
        );
        const misnamed = { ...there, BKG_CA_FILE: tlsCert, BKG_URL: server.url };
        assert.match(
          (await bkg(["plugin", "list"], misnamed)).text,
          /not accepted: certificate not valid for name "127\.0\.0\.1".*BKG_URL/,
        );
        const none = await bkg(["plugin", "list"], { ...there, BKG_CA_FILE: "/none.pem" });
        assert.match(none.text, /"\/none\.pem" cannot be read/);
      },
    );
    assert.equal(await server.end("SIGTERM"), 0);
  },
});

Deno.test({
  name: "a server whose certificate and key do not fit says so, and ends with 2",
  ignore,
  async fn() {
    await using folder = await makeFolder();
    const one = await makeCertificate(folder.path, { name: "one" });
    const two = await makeCertificate(folder.path, { name: "two" });
    const dataDir = join(folder.path, "data");
    const env = { BKG_DATA_DIR: dataDir, BKG_PORT: "0" };
    const pair = { BKG_TLS_CERT: one.tlsCert, BKG_TLS_KEY: two.tlsKey };
    const { code, text } = await bkg(["serve"], { ...env, ...pair });
    assert.equal(code, 2, text);
    assert.match(text, /bkg: The key in ".*two\.key" does not fit .*one\.crt"/);
    const half = await bkg(["serve"], { ...env, BKG_TLS_CERT: one.tlsCert });
    assert.match(half.text, /BKG_TLS_KEY must be set with BKG_TLS_CERT/);
  },
});

async function bkg(
  args: string[],
  env: Record<string, string>,
): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", "server/cli/main.ts", ...args],
    cwd: projectRoot,
    env: { ...env, NO_COLOR: "1" },
    signal: AbortSignal.timeout(60_000),
  }).output();
  return { code, text: [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("") };
}

async function makeFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "bkg-tls-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
