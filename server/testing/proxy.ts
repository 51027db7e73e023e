// Caddy and nginx as an operator runs them: the very examples in deploy/, with ports and certificates of the test in
// the place of their own, over TLS on the loopback.

import { join } from "node:path";
import { projectRoot } from "../build/bundles.ts";
import { makeCertificate, opensslProblem } from "./certificates.ts";

export type ProxyKind = "caddy" | "nginx";

export interface Proxy extends AsyncDisposable {
  /** Of the site with a name of its own. */
  readonly rootUrl: string;
  /** Of the other site, with the path. */
  readonly pathUrl: string;
  /** PEM: what a client must trust. */
  readonly caCert: string;
  /** What it wrote so far, both streams. */
  output(): string;
}

/** Why there is no such proxy here; undefined when there is. */
export function proxyProblem(kind: ProxyKind): string | undefined {
  if (findProgram(kind) === undefined) return `${kind} is absent (Debian: apt-get install ${kind})`;
  return opensslProblem();
}

/** The two ports of a proxy that is started later: a server may have to know its URL before. */
export function reservePorts(): { root: number; path: number } {
  const listeners = [0, 0].map((port) => Deno.listen({ hostname: "127.0.0.1", port }));
  const [root = 0, path = 0] = listeners.map(({ addr }) => addr.port);
  for (const listener of listeners) listener.close();
  return { root, path };
}

export interface StartProxyOptions {
  upstreamPort: number;
  ports: { root: number; path: number };
}

/** Runs the example; answers when it listens. */
export async function startProxy(
  kind: ProxyKind,
  { upstreamPort, ports }: StartProxyOptions,
): Promise<Proxy> {
  const folder = await Deno.makeTempDir({ prefix: `bkg-${kind}-` });
  const certificate = await makeCertificate(folder);
  const example = await Deno.readTextFile(join(projectRoot, "deploy", examples[kind]));
  const substitutions = { ...certificate, upstreamPort, ports, folder };
  const text = kind === "caddy" ? caddyfile(example, substitutions) : nginx(example, substitutions);
  const config = join(folder, examples[kind]);
  await Deno.writeTextFile(config, text);
  const child = new Deno.Command(findProgram(kind)!, {
    args: kind === "caddy"
      ? ["run", "--config", config, "--adapter", "caddyfile"]
      : ["-c", config, "-p", folder, "-e", "stderr"],
    env: { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let output = "";
  const collect = async (stream: ReadableStream<Uint8Array>) => {
    for await (const chunk of stream.pipeThrough(new TextDecoderStream())) output += chunk;
  };
  const collected = Promise.all([collect(child.stdout), collect(child.stderr)]);
  let ended = false;
  child.status.then(() => ended = true);
  const proxy: Proxy = {
    rootUrl: `https://localhost:${ports.root}`,
    pathUrl: `https://localhost:${ports.path}/bkg`,
    caCert: await Deno.readTextFile(certificate.tlsCert),
    output: () => output,
    async [Symbol.asyncDispose]() {
      // nginx ends its workers with it, which a kill would leave behind.
      if (!ended) child.kill("SIGTERM");
      await child.status;
      await collected;
      await Deno.remove(folder, { recursive: true });
    },
  };
  try {
    await Promise.all([ports.root, ports.path].map((port) => answers(port, () => ended)));
  } catch (cause) {
    await proxy[Symbol.asyncDispose]();
    throw new Error(`${kind} does not answer:\n${output}`, { cause });
  }
  return proxy;
}

interface Substitutions extends StartProxyOptions {
  tlsCert: string;
  tlsKey: string;
  folder: string;
}

const examples = { caddy: "Caddyfile", nginx: "nginx.conf" } as const;

function caddyfile(
  example: string,
  { tlsCert, tlsKey, upstreamPort, ports }: Substitutions,
): string {
  const site = (port: number) => `https://localhost:${port} {\n\ttls ${tlsCert} ${tlsKey}`;
  return replaceAll(example, [
    // Its control port and its redirects from port 80 are no part of the example, and may be taken.
    [/^\{$/m, "{\n\tadmin off\n\tauto_https disable_redirects"],
    [/^bkg\.example\.org \{$/m, site(ports.root)],
    [/^example\.org \{$/m, site(ports.path)],
    [/127\.0\.0\.1:43119/g, `127.0.0.1:${upstreamPort}`],
  ]);
}

function nginx(
  example: string,
  { tlsCert, tlsKey, upstreamPort, ports, folder }: Substitutions,
): string {
  const { root, path } = ports;
  const site = replaceAll(example, [
    [
      /listen 443 ssl http2;\n {2}server_name bkg\./,
      `listen 127.0.0.1:${root} ssl http2;\n  server_name `,
    ],
    [/listen 443 ssl http2;/, `listen 127.0.0.1:${path} ssl http2;`],
    [/server_name .+;/g, "server_name localhost;"],
    [/(ssl_certificate +)\S+;/g, `$1${tlsCert};`],
    [/(ssl_certificate_key +)\S+;/g, `$1${tlsKey};`],
    [/127\.0\.0\.1:43119/, `127.0.0.1:${upstreamPort}`],
  ]);
  const places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${folder}/${name};`).join("\n");
  return `daemon off;
pid ${folder}/nginx.pid;
${Deno.uid() === 0 ? "user root;" : ""}
worker_processes 1;
events {}
http {
access_log /dev/stdout;
${places}
${site}
}
`;
}

/** Each pattern must be there: an example that changed must not be tested by halves. */
function replaceAll(text: string, pairs: [RegExp, string][]): string {
  for (const [pattern, replacement] of pairs) {
    if (text.search(pattern) === -1) throw new Error(`The example has no ${pattern}`);
    text = text.replace(pattern, replacement);
  }
  return text;
}

async function answers(port: number, hasEnded: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + 20_000;
  while (true) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch (error) {
      if (hasEnded() || performance.now() > giveUpAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Debian keeps nginx where only root's PATH looks. */
function findProgram(kind: ProxyKind): string | undefined {
  const folders = (Deno.env.get("PATH") ?? "").split(":").concat("/usr/sbin", "/usr/local/sbin");
  return folders.map((folder) => join(folder, kind)).find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}
