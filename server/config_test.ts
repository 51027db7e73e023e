import assert from "node:assert/strict";
import { publicHub } from "../models/source.ts";
import { type Config, readConfig, readDatabaseUrl, readSecret } from "./config.ts";

const read = (env: Record<string, string>, overrides = {}): Config =>
  readConfig({ HOME: "/home/me", ...env }, overrides, { os: "linux", cwd: "/srv" });

Deno.test("readConfig names every bad variable and what is allowed", () => {
  for (
    const [env, pattern] of [
      [{ BKG_PORT: "70000" }, /BKG_PORT must be a port from 0 to 65535/],
      [{ BKG_PORT: "80a" }, /BKG_PORT/],
      [{ BKG_HOST: "http://x/" }, /BKG_HOST must be a name or an address/],
      [{ BKG_PUBLIC_URL: "ftp://x" }, /BKG_PUBLIC_URL must be an http or https URL/],
      [{ BKG_ALLOWED_HOSTS: "a.b:80" }, /BKG_ALLOWED_HOSTS must list host names without a port/],
      [{ BKG_ALLOWED_ORIGINS: "example.org" }, /BKG_ALLOWED_ORIGINS must list origins/],
      [{ BKG_TRUSTED_PROXIES: "loopback,10.0.0.0/33" }, /BKG_TRUSTED_PROXIES must list addresses/],
      [{ BKG_TRUSTED_PROXIES: "proxy.lan" }, /BKG_TRUSTED_PROXIES/],
      [{ BKG_TLS_CERT: "a.crt" }, /BKG_TLS_KEY must be set with BKG_TLS_CERT/],
      [{ BKG_TLS_KEY: "a.key" }, /BKG_TLS_CERT must be set with BKG_TLS_KEY/],
      [{ BKG_OFFLINE: "yes" }, /BKG_OFFLINE must be "1" or "0"/],
      [{ BKG_LOG_LEVEL: "loud" }, /BKG_LOG_LEVEL must be one of debug, info, warn, error/],
    ] as const
  ) {
    assert.throws(() => read(env), { code: "INVALID_INPUT", message: pattern });
  }
  assert.throws(() => read({ BKG_PORT: "x", BKG_OFFLINE: "x" }), /BKG_PORT.*BKG_OFFLINE/);
});

Deno.test("readConfig fills defaults, resolves paths and freezes", () => {
  const config = read({ BKG_MODEL_PATHS: "models:/abs", BKG_PUBLIC_URL: "https://x.org/bkg/" });
  assert.equal(config.host, "127.0.0.1");
  assert.equal(config.port, 43119);
  assert.equal(config.dataDir, "/home/me/.local/share/bkg");
  assert.deepEqual(config.modelPaths, ["/srv/models", "/abs"]);
  assert.equal(config.publicUrl, "https://x.org/bkg");
  assert.deepEqual(config.warnings, []);
  assert.ok(Object.isFrozen(config) && Object.isFrozen(config.modelPaths));
});

Deno.test("readConfig: XDG wins when absolute, flags win over the environment, port 0 is allowed", () => {
  assert.equal(read({ XDG_DATA_HOME: "/x" }).dataDir, "/x/bkg");
  assert.equal(read({ XDG_DATA_HOME: "x" }).dataDir, "/home/me/.local/share/bkg");
  assert.equal(read({ BKG_PORT: "1" }, { port: "0" }).port, 0);
});

Deno.test("readConfig warns of what is no setting", () => {
  const { warnings } = read({ HF_TOKEN_FILE: "b", BKG_PROT: "1", BKG_CA_FILE: "c" });
  assert.deepEqual(warnings, ["BKG_PROT is not a setting of bkg"]);
});

Deno.test("readConfig: where models come from, and where others keep theirs", () => {
  const plain = read({});
  assert.deepEqual(plain.modelCaches, [
    "/home/me/.cache/huggingface/hub",
    "/home/me/.ollama/models",
  ]);
  assert.deepEqual([plain.hubEndpoint, plain.privateHosts], [publicHub, []]);
  for (
    const [env, huggingFace] of [
      [{ XDG_CACHE_HOME: "/c" }, "/c/huggingface/hub"],
      [{ XDG_CACHE_HOME: "/c", HF_HOME: "/hf" }, "/hf/hub"],
      [{ HF_HOME: "/hf", HF_HUB_CACHE: "cache" }, "/srv/cache"],
    ] as const
  ) {
    assert.equal(read(env).modelCaches[0], huggingFace);
  }
  assert.equal(read({ OLLAMA_MODELS: "/o" }).modelCaches[1], "/o");
  assert.deepEqual(read({ BKG_MODEL_CACHES: "a:/b", HF_HOME: "/hf" }).modelCaches, [
    "/srv/a",
    "/b",
  ]);
  for (const text of ["none", "", " "]) {
    assert.deepEqual(read({ BKG_MODEL_CACHES: text, HF_HOME: "/hf" }).modelCaches, []);
  }
  const own = read({
    HF_ENDPOINT: "http://hub.lan:8080/mirror/",
    HF_TOKEN: "hush",
    BKG_PRIVATE_HOSTS: "Hub.lan, nas",
  });
  assert.equal(own.hubEndpoint, "http://hub.lan:8080/mirror");
  assert.deepEqual(own.privateHosts, ["hub.lan", "nas"]);
  assert.ok(own.given.includes("HF_TOKEN") && own.given.includes("HF_ENDPOINT"));
  assert.doesNotMatch(JSON.stringify(own), /hush/);
  for (const bad of ["hub.lan", "ftp://hub.lan", "https://me:hush@hub.lan"]) {
    assert.throws(() => read({ HF_ENDPOINT: bad }), {
      code: "INVALID_INPUT",
      message: /HF_ENDPOINT must be an http or https URL/,
    });
  }
  assert.equal(read({}).npmRegistry, undefined);
  const mirror = read({ NPM_CONFIG_REGISTRY: "https://npm.lan/all/" });
  assert.equal(mirror.npmRegistry, "https://npm.lan/all");
  assert.throws(() => read({ NPM_CONFIG_REGISTRY: "https://me:hush@npm.lan" }), {
    message: /NPM_CONFIG_REGISTRY must be/,
  });
  assert.throws(() => read({ BKG_PRIVATE_HOSTS: "nas:80" }), { message: /BKG_PRIVATE_HOSTS/ });
});

Deno.test("readConfig: proxies and TLS files", () => {
  const config = read({
    BKG_TRUSTED_PROXIES: "Loopback, 10.0.0.0/8 ,fd00::1",
    BKG_TLS_CERT: "tls/bkg.crt",
    BKG_TLS_KEY: "/etc/bkg.key",
  });
  assert.deepEqual(config.trustedProxies, ["loopback", "10.0.0.0/8", "fd00::1"]);
  assert.deepEqual([config.tlsCert, config.tlsKey], ["/srv/tls/bkg.crt", "/etc/bkg.key"]);
  assert.deepEqual(config.warnings, []);
  assert.match(read({ BKG_TRUSTED_PROXIES: "0.0.0.0/0" }).warnings.join(), /names every address/);
  const plain = { BKG_TLS_CERT: "a", BKG_TLS_KEY: "b", BKG_PUBLIC_URL: "http://x.org" };
  assert.match(read(plain).warnings.join(), /BKG_PUBLIC_URL begins with "http:"/);
});

Deno.test("readSecret takes the value or the file, never both", async () => {
  const readFile = (path: string) =>
    path === "/s" ? Promise.resolve("secret\n") : Promise.reject(new Error("no"));
  assert.equal(await readSecret({ A: "x" }, "A", readFile), "x");
  assert.equal(await readSecret({ A_FILE: "/s" }, "A", readFile), "secret");
  assert.equal(await readSecret({}, "A", readFile), undefined);
  await assert.rejects(readSecret({ A: "x", A_FILE: "/s" }, "A", readFile), /not both/);
  await assert.rejects(readSecret({ A_FILE: "/t" }, "A", readFile), { code: "INVALID_INPUT" });
});

Deno.test("readDatabaseUrl takes the variable or its file, and quotes neither", async () => {
  const url = "postgres://bkg:hush@db.lan/bkg";
  assert.equal(await readDatabaseUrl({}), undefined);
  assert.equal(await readDatabaseUrl({ BKG_DATABASE_URL: url }), url);
  const path = await Deno.makeTempFile();
  await Deno.writeTextFile(path, `${url}\n`);
  assert.equal(await readDatabaseUrl({ BKG_DATABASE_URL_FILE: path }), url);
  await Deno.remove(path);
  for (const wrong of ["mysql://hush@db", "hush", "postgres//hush"]) {
    await assert.rejects(readDatabaseUrl({ BKG_DATABASE_URL: wrong }), (error: Error) => {
      assert.doesNotMatch(Deno.inspect(error), /hush/);
      return (error as Error & { code: string }).code === "INVALID_INPUT";
    });
  }
  assert.deepEqual(readConfig({ BKG_DATABASE_URL: url }).warnings, []);
  assert.doesNotMatch(JSON.stringify(readConfig({ BKG_DATABASE_URL: url })), /hush/);
});
