// TLS by certificate files: what is refused at the start, and renewals while it serves.

import assert from "node:assert/strict";
import type { App } from "./app.ts";
import { createLogger } from "./log.ts";
import { type HttpServer, serveHttp } from "./serve.ts";
import { makeCertificate, opensslProblem, type TestCertificate } from "./testing/certificates.ts";
import { skipUnless } from "./testing/require.ts";

const ignore = skipUnless("TLS by files", opensslProblem());
const checkMs = 20;

Deno.test({
  name: "serveHttp: a pair that will not do is refused at the start, by its file's name",
  ignore,
  async fn() {
    await using world = await openWorld();
    const other = await makeCertificate(world.folder, { name: "other" });
    for (
      const [paths, pattern] of [
        [{ ...world.files, tlsCert: "/nowhere.crt" }, /BKG_TLS_CERT names "\/nowhere.crt"/],
        [{ ...world.files, tlsKey: other.tlsKey }, /other\.key" does not fit/],
      ] as const
    ) {
      assert.throws(() => world.serve(paths), { code: "INVALID_INPUT", message: pattern });
    }
    const past = await makeCertificate(world.folder, { name: "past", days: -1 });
    await using _server = await world.serve(past);
    assert.match(world.logged(), /"level":"warn".*past\.crt.*it expired on/);
  },
});

Deno.test({
  name: "serveHttp: renewed files are used within seconds; a broken pair keeps the old, told once",
  ignore,
  async fn() {
    await using world = await openWorld();
    await using server = await world.serve(world.files);
    const { caCert: first } = world;
    assert.equal(await world.hello(server, first), "hello");

    await Deno.writeTextFile(world.files.tlsCert, "rubbish");
    await until(() => /the old one stays/.test(world.logged()));
    await new Promise((resolve) => setTimeout(resolve, checkMs * 5));
    assert.equal(world.logged().match(/the old one stays/g)?.length, 1);
    assert.match(world.logged(), /"level":"error".*BKG_TLS_CERT names .*bkg\.crt/);
    assert.equal(await world.hello(server, first), "hello");

    // As a renewal does: one file, then the other.
    const next = await makeCertificate(world.folder, { name: "next" });
    await Deno.rename(next.tlsCert, world.files.tlsCert);
    await Deno.rename(next.tlsKey, world.files.tlsKey);
    await until(() => /the certificate was renewed/.test(world.logged()));
    const second = await Deno.readTextFile(world.files.tlsCert);
    assert.equal(await world.hello(server, second), "hello");
    await assert.rejects(world.hello(server, first), /certificate|fetch failed/);

    await Deno.remove(world.files.tlsKey);
    await until(() => /BKG_TLS_KEY names .*does not exist/.test(world.logged()));
    assert.equal(await world.hello(server, second), "hello");
    assert.doesNotMatch(world.logged(), /PRIVATE KEY/);
  },
});

Deno.test({
  name: "serveHttp: HSTS by TLS alone, and only where the public URL has the whole name",
  ignore,
  async fn() {
    await using world = await openWorld();
    const header = "strict-transport-security";
    for (
      const [publicUrl, sent] of [
        [undefined, null],
        ["https://bkg.lan:43119", null],
        ["http://bkg.lan", null],
        ["https://bkg.lan/bkg", "max-age=31536000"],
      ] as const
    ) {
      await using server = await world.serve({ ...world.files, publicUrl });
      assert.ok(server.url.startsWith("https://127.0.0.1:"), server.url);
      const secure = await world.fetch(server.url, world.caCert);
      assert.equal(secure.headers.get(header), sent, publicUrl);
      const plain = await world.fetch(server.url.replace("https:", "http:"), world.caCert);
      assert.equal(plain.headers.get(header), null);
    }
  },
});

interface World extends AsyncDisposable {
  folder: string;
  files: TestCertificate;
  caCert: string;
  logged(): string;
  serve(
    address: TestCertificate & { publicUrl?: string | undefined },
  ): HttpServer & AsyncDisposable;
  fetch(url: string, caCert: string): Promise<{ headers: Headers; text: string }>;
  hello(server: HttpServer, caCert: string): Promise<string>;
}

async function openWorld(): Promise<World> {
  const folder = await Deno.makeTempDir({ prefix: "bkg-serve-" });
  const files = await makeCertificate(folder);
  let text = "";
  const log = createLogger({ level: "info", write: (lines) => text += lines });
  const app: App = {
    routes: [],
    fetch: () => Promise.resolve(new Response("hello")),
    drain: () => {},
    cut: () => {},
    active: 0,
    close: () => {},
  };
  const ask: World["fetch"] = async (url, caCert) => {
    using client = Deno.createHttpClient({ caCerts: [caCert] });
    const response = await fetch(url, { client });
    return { headers: response.headers, text: await response.text() };
  };
  return {
    folder,
    files,
    caCert: await Deno.readTextFile(files.tlsCert),
    logged: () => text,
    serve(address) {
      const options = { log, certificateCheckMs: checkMs };
      const server = serveHttp(app, { host: "127.0.0.1", port: 0, ...address }, options);
      return { ...server, [Symbol.asyncDispose]: () => server.shutdown() };
    },
    fetch: ask,
    hello: async ({ url }, caCert) => (await ask(url, caCert)).text,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

async function until(holds: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + 5000;
  while (!holds()) {
    if (performance.now() > giveUpAt) throw new Error("It did not come to pass in 5 s");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
