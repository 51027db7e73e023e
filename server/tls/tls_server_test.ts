import assert from "node:assert/strict";
import { makeCertificate, opensslProblem } from "../testing/certificates.ts";
import { skipUnless } from "../testing/require.ts";
import { type Certificate, readCertificate } from "./certificate.ts";
import { type Answer, answerPlain, serveTls, type TlsServer } from "./tls_server.ts";

const ignore = skipUnless("TLS", opensslProblem());
const encoder = new TextEncoder();

Deno.test({
  name: "serveTls: new connections get the new certificate; streams and sockets of the old go on",
  ignore,
  async fn() {
    await using world = await openWorld();
    const { server, pairs: [one, two], client, url } = world;
    assert.equal(await servedName(server), "one");
    const overOne = await fetch(`${url}/stream`, { client: client() });
    const overTwo = await fetch(`${url}/stream`, { client: client({ http2: true }) });
    const socket = await openSocket(server, client());
    const echoed = () => {
      const message = Promise.withResolvers<string>();
      socket.onmessage = ({ data }) => message.resolve(data);
      socket.onclose = ({ code }) => message.reject(new Error(`closed with ${code}`));
      socket.send("still here");
      return message.promise;
    };
    assert.equal(await echoed(), "still here");

    // Clients that come all the while lose nothing either.
    let going = true;
    let answered = 0;
    const visitors = Array.from({ length: 4 }, async () => {
      while (going) {
        using once = client();
        assert.equal(await (await fetch(`${url}/hello`, { client: once })).text(), "hello");
        answered++;
      }
    });
    for (let i = 0; i < 10; i++) {
      server.use(i % 2 === 0 ? two : one);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    server.use(two);
    assert.equal(await servedName(server), "two");
    going = false;
    await Promise.all(visitors);
    assert.ok(answered > 10, String(answered));

    assert.equal(await echoed(), "still here");
    world.endStreams();
    assert.match(await overOne.text(), /^\.+end$/);
    assert.match(await overTwo.text(), /^\.+end$/);
    socket.onclose = null;
    await closeSocket(socket);
  },
});

Deno.test({
  name: "serveTls: a pair that cannot be served is refused, and the old one stays",
  ignore,
  async fn() {
    await using world = await openWorld();
    const { server, pairs: [, two] } = world;
    assert.throws(() => server.use({ cert: two.cert, key: "rubbish" }));
    assert.throws(() => server.use({ cert: "rubbish", key: two.key }));
    assert.equal(await servedName(server), "one");
  },
});

Deno.test({
  name: "serveTls: rubbish, silence and half a handshake end alone",
  ignore,
  async fn() {
    await using world = await openWorld();
    const { server } = world;
    const open = () => Deno.connect({ hostname: "127.0.0.1", port: server.port });
    for (const bytes of [[22, 3, 1, 0, 5, 9, 9, 9, 9, 9], [0], [22], [71, 69, 84]]) {
      using conn = await open();
      await conn.write(new Uint8Array(bytes));
      await conn.closeWrite();
      await drain(conn);
    }
    using _silent = await open();
    assert.equal(await (await world.get("/hello")).text(), "hello");
  },
});

Deno.test({
  name: "serveTls: a client that goes ends its stream, by TLS and plain",
  ignore,
  async fn() {
    await using world = await openWorld();
    for (const url of [world.url, world.url.replace("https:", "http:")]) {
      const abort = new AbortController();
      using client = world.client();
      const response = await fetch(`${url}/stream`, { client, signal: abort.signal });
      const reader = response.body!.getReader();
      await reader.read();
      assert.equal(world.streams.size, 1);
      abort.abort();
      await reader.read().catch(() => {});
      await until(() => world.streams.size === 0);
    }
  },
});

Deno.test({
  name: "serveTls: tells the client's address, and carries much in both directions unchanged",
  ignore,
  async fn() {
    await using world = await openWorld();
    assert.equal(await (await world.get("/address")).text(), "127.0.0.1");
    const bytes = new Uint8Array(8 * 1024 * 1024);
    for (let i = 0; i < bytes.length; i += 65_536) {
      crypto.getRandomValues(bytes.subarray(i, i + 65_536));
    }
    const back = await (await world.get("/echo", { method: "POST", body: bytes })).bytes();
    const digest = async (data: Uint8Array<ArrayBuffer>) =>
      new Uint8Array(await crypto.subtle.digest("SHA-256", data)).toHex();
    assert.equal(await digest(back), await digest(bytes));
  },
});

Deno.test({
  name: "serveTls: the way down lets a stream end and accepts nobody; cut closes what is left",
  ignore,
  async fn() {
    const world = await openWorld();
    const { server } = world;
    const stream = await world.get("/stream");
    const down = server.shutdown();
    await assert.rejects(Deno.connect({ hostname: "127.0.0.1", port: server.port }));
    world.endStreams();
    assert.match(await stream.text(), /end$/);
    await down;
    await server.finished;
    await world[Symbol.asyncDispose]();

    const stuck = await openWorld();
    const held = await stuck.get("/stream");
    const ending = stuck.server.shutdown();
    stuck.server.cut();
    await assert.rejects(held.text());
    await ending;
    await stuck[Symbol.asyncDispose]();
  },
});

Deno.test({
  name: "serveTls: a taken port is told as Deno tells it, and nothing stays open",
  ignore,
  async fn() {
    await using world = await openWorld();
    const { port } = world.server;
    const options = { hostname: "127.0.0.1", port, pair: world.pairs[0] };
    assert.throws(() => serveTls(() => new Response(), options), Deno.errors.AddrInUse);
  },
});

Deno.test("answerPlain: this machine is answered, others are sent to https", async () => {
  const answer = answerPlain((_request, peer) => new Response(peer));
  const ask = (peer: string) => answer(new Request("http://bkg.lan:43119/a?b=c"), peer);
  for (const peer of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]) {
    assert.equal(await (await ask(peer)).text(), peer);
  }
  for (const peer of ["10.0.0.1", "fe80::1", "unknown"]) {
    const response = await ask(peer);
    assert.equal(response.status, 308);
    assert.equal(response.headers.get("location"), "https://bkg.lan:43119/a?b=c");
  }
});

interface World extends AsyncDisposable {
  server: TlsServer;
  url: string;
  pairs: [Certificate, Certificate];
  /** Those that run, each with how to end it. */
  streams: Set<() => void>;
  endStreams(): void;
  client(options?: { http2: boolean }): Deno.HttpClient;
  get(path: string, init?: RequestInit): Promise<Response>;
}

/** A server with the first of two certificates. */
async function openWorld(): Promise<World> {
  const folder = await Deno.makeTempDir({ prefix: "bkg-tls-" });
  const pairs: [Certificate, Certificate] = [
    readCertificate(await makeCertificate(folder, { name: "one" })),
    readCertificate(await makeCertificate(folder, { name: "two" })),
  ];
  await Deno.remove(folder, { recursive: true });
  const streams = new Set<() => void>();
  const answer: Answer = async (request, peer) => {
    switch (new URL(request.url).pathname) {
      case "/hello":
        return new Response("hello");
      case "/address":
        return new Response(peer);
      case "/echo":
        return new Response(await request.bytes());
      case "/socket": {
        const { socket, response } = Deno.upgradeWebSocket(request);
        socket.onmessage = ({ data }) => socket.send(data);
        return response;
      }
      default:
        return new Response(dots(streams));
    }
  };
  const server = serveTls(answer, { hostname: "127.0.0.1", port: 0, pair: pairs[0] });
  const clients = new DisposableStack();
  const caCerts = pairs.map(({ cert }) => cert);
  const client = ({ http2 } = { http2: false }) =>
    Deno.createHttpClient({ caCerts, http1: !http2, http2 });
  const shared = clients.use(client());
  const url = `https://localhost:${server.port}`;
  return {
    server,
    url,
    pairs,
    streams,
    endStreams: () => streams.forEach((end) => end()),
    client: (options) => clients.use(client(options)),
    get: (path, init) => fetch(url + path, { ...init, client: shared }),
    async [Symbol.asyncDispose]() {
      for (const end of streams) end();
      clients.dispose();
      await server.shutdown();
    },
  };
}

/** A dot each 20 ms until it is ended. */
function dots(streams: Set<() => void>): ReadableStream<Uint8Array> {
  let stop = () => {};
  return new ReadableStream({
    start(controller) {
      const timer = setInterval(() => controller.enqueue(encoder.encode(".")), 20);
      const end = () => {
        stop();
        controller.enqueue(encoder.encode("end"));
        controller.close();
      };
      stop = () => {
        clearInterval(timer);
        streams.delete(end);
      };
      streams.add(end);
    },
    cancel: () => stop(),
  });
}

/** The subject of the certificate that a new connection is given. */
async function servedName({ port }: TlsServer): Promise<string | undefined> {
  const { stdout } = await new Deno.Command("openssl", {
    args: ["s_client", "-connect", `127.0.0.1:${port}`],
    stdin: "null",
    stderr: "null",
    signal: AbortSignal.timeout(10_000),
  }).output();
  return /^subject=.*CN ?= ?(\w+)/m.exec(new TextDecoder().decode(stdout))?.[1];
}

function openSocket({ port }: TlsServer, client: Deno.HttpClient): Promise<WebSocket> {
  const socket = new WebSocket(`wss://localhost:${port}/socket`, { client });
  const opened = Promise.withResolvers<WebSocket>();
  socket.onopen = () => opened.resolve(socket);
  socket.onerror = () => opened.reject(new Error("The socket did not open"));
  return opened.promise;
}

function closeSocket(socket: WebSocket): Promise<void> {
  const closed = Promise.withResolvers<void>();
  socket.onclose = () => closed.resolve();
  socket.close();
  return closed.promise;
}

async function drain(conn: Deno.TcpConn): Promise<void> {
  try {
    while (await conn.read(new Uint8Array(1024)) !== null);
  } catch {
    // Reset: ended too.
  }
}

async function until(holds: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + 5000;
  while (!holds()) {
    if (performance.now() > giveUpAt) throw new Error("It did not come to pass in 5 s");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
