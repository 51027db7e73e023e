import assert from "node:assert/strict";
import { makeCertificate, opensslProblem } from "../../server/testing/certificates.ts";
import { isPublicAddress } from "./addresses.ts";
import { readWhole } from "./body.ts";
import { createPullNetwork, type PullNetworkOptions } from "./network.ts";
import { readRetryAfter } from "./patience.ts";
import { createNames } from "./connections.ts";
import { refusal } from "../../server/testing/pull_fixture.ts";

Deno.test("isPublicAddress: refuses all that is not the public internet", () => {
  const inner = [
    ...["127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254"],
    ...["100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1"],
    ...[
      "::",
      "::1",
      "fe80::1",
      "fc00::1",
      "fd00::1",
      "ff02::1",
      "fec0::1",
      "100::1",
      "2001:db8::1",
    ],
    ...["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"],
    ...["2001::1", "", "localhost", "1.2.3", "0x7f.1"],
  ];
  for (const address of inner) assert.equal(isPublicAddress(address), false, address);
  for (const address of ["8.8.8.8", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]) {
    assert.equal(isPublicAddress(address), true, address);
  }
});

Deno.test("request: a redirect to a private address is refused, and nobody is asked there", async () => {
  let asked = 0;
  await using inner = serve(() => {
    asked++;
    return new Response("secret");
  });
  const port = inner.port;
  let to = "";
  await using hub = serve(() => redirect(to));
  using session = openSession(hub);
  const targets = [
    ...[`https://127.0.0.1:${port}/`, `https://127.1:${port}/`, `https://2130706433:${port}/`],
    ...[`https://0x7f.1:${port}/`, `https://[::1]:${port}/`, `https://[::ffff:127.0.0.1]:${port}/`],
    ...["https://169.254.169.254/latest/meta-data", `https://inner.test:${port}/`],
    ...[`https://inner.test.:${port}/`, `http://127.0.0.1:${port}/`, `http://inner.test:${port}/`],
    ...["file:///etc/passwd", "data:text/plain,x", `https://me:pw@hub.test:${port}/`],
  ];
  for (to of targets) {
    await assert.rejects(ask(session, `${hub.url}/x`), refusal("FORBIDDEN"), to);
  }
  assert.equal(asked, 0);
});

Deno.test("request: redirects are followed by hand, and not for ever", async () => {
  await using hub = serve((request) => {
    const step = Number(new URL(request.url).pathname.slice(1));
    return step === 0 ? new Response("here") : redirect(`/${step - 1}`);
  });
  using session = openSession(hub);
  assert.equal(await ask(session, `${hub.url}/5`), "here");
  await assert.rejects(ask(session, `${hub.url}/6`), refusal("UNAVAILABLE", /too often/));
});

Deno.test("request: the token goes to the hub's own origin, and nowhere else", async () => {
  const seen: [string, string | null][] = [];
  const answer = (request: Request) => {
    seen.push([request.headers.get("host") ?? "", request.headers.get("authorization")]);
    return new Response("bytes");
  };
  await using files = serve(answer);
  await using hub = serve((request) => {
    answer(request);
    return redirect(new URL(request.url).searchParams.get("to") ?? "");
  });
  using session = openSession(hub, { token: "hf_s3cret", allowedPrivateHosts: ["files.test"] });
  const others = [`http://files.test:${files.port}/`, `http://hub.test:${files.port}/`];
  for (const to of others) {
    await ask(session, `${hub.url}/x?to=${to}`, { Authorization: "Bearer hf_s3cret" });
  }
  assert.deepEqual(
    seen,
    others.flatMap((to) => [
      [new URL(hub.url).host, "Bearer hf_s3cret"],
      [new URL(to).host, null],
    ]),
  );
});

Deno.test("request: connects to the address that was checked, though the name has another by then", async () => {
  let lookups = 0;
  await using hub = serve(() => new Response("the first"));
  // The same port at another address of the loopback.
  await using other = serve(() => new Response("the second"), {
    hostname: "127.0.0.2",
    port: hub.port,
  });
  using session = openSession(hub, {
    resolve: () => Promise.resolve([lookups++ === 0 ? "127.0.0.1" : "127.0.0.2"]),
  });
  for (let turn = 0; turn < 3; turn++) assert.equal(await ask(session, hub.url), "the first");
  assert.equal(lookups, 1);
  assert.ok(other.port > 0);
});

Deno.test("createNames: a name that is looked up again is checked again", async () => {
  const answers = [["203.0.114.1"], ["203.0.114.1", "10.0.0.1"], ["203.0.114.1"]];
  const names = createNames({
    isPrivateAllowed: () => false,
    resolve: () => Promise.resolve(answers.shift() ?? []),
  });
  const url = new URL("https://files.test/");
  const [first] = await names.find(url);
  first?.fails();
  await assert.rejects(names.find(url), refusal("FORBIDDEN", /BKG_PRIVATE_HOSTS/));
  assert.equal((await names.find(url)).length, 1);
});

Deno.test("request: another address of the name serves when one refuses", async () => {
  await using hub = serve(() => new Response("here"));
  using session = openSession(hub, { resolve: () => Promise.resolve(["127.0.0.3", "127.0.0.1"]) });
  assert.equal(await ask(session, hub.url), "here");
});

Deno.test("request: connections are used again, unless something was left on them", async () => {
  const ports = new Set<number>();
  await using hub = serve((request, { remoteAddr }) => {
    ports.add((remoteAddr as Deno.NetAddr).port);
    return new Response(new URL(request.url).pathname === "/long" ? new Uint8Array(1e6) : "short");
  });
  using session = openSession(hub);
  for (let turn = 0; turn < 3; turn++) assert.equal(await ask(session, hub.url), "short");
  assert.equal(ports.size, 1);
  await assert.rejects(ask(session, `${hub.url}/long`), refusal("PAYLOAD_TOO_LARGE"));
  assert.equal(await ask(session, hub.url), "short");
  assert.equal(ports.size, 2);
});

Deno.test("request: offline, nothing is asked and no name is looked up", async () => {
  let lookups = 0;
  await using hub = serve(() => new Response("here"));
  using session = openSession(hub, {
    offline: true,
    resolve: () => {
      lookups++;
      return Promise.resolve(["127.0.0.1"]);
    },
  });
  await assert.rejects(
    ask(session, hub.url),
    (error) =>
      refusal("UNAVAILABLE", /BKG_OFFLINE/)(error) &&
      (error as { retryable: boolean }).retryable === false,
  );
  assert.equal(lookups, 0);
});

Deno.test("request: asks for no compression and refuses it", async () => {
  const asked: (string | null)[] = [];
  await using hub = serve((request) => {
    asked.push(request.headers.get("accept-encoding"));
    return new Response(new Uint8Array([31, 139, 8]), { headers: { "content-encoding": "gzip" } });
  });
  using session = openSession(hub);
  await assert.rejects(ask(session, hub.url), refusal("UNAVAILABLE", /compresses/));
  assert.deepEqual(asked, ["identity"]);
});

Deno.test("request: gives up a server that does not answer, and one that falls silent or drips", async () => {
  await using hub = serve(async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/mute") await new Promise((resolve) => setTimeout(resolve, 600));
    let timer: ReturnType<typeof setInterval> | undefined;
    return new Response(
      new ReadableStream({
        start(controller) {
          controller.enqueue(new Uint8Array(10));
          if (pathname !== "/drip") return;
          timer = setInterval(() => controller.enqueue(new Uint8Array(1)), 20);
        },
        cancel: () => clearInterval(timer),
      }),
    );
  });
  using session = openSession(hub, {
    limits: { headersTimeoutMs: 200, silenceMs: 200, silenceBytes: 1000 },
  });
  const startMs = performance.now();
  await assert.rejects(ask(session, `${hub.url}/mute`), refusal("TIMEOUT"));
  await assert.rejects(ask(session, `${hub.url}/silent`), refusal("TIMEOUT"));
  await assert.rejects(ask(session, `${hub.url}/drip`), refusal("TIMEOUT"));
  assert.ok(performance.now() - startMs < 3000);
});

Deno.test("request: the caller's signal ends it, waiting or reading", async () => {
  await using hub = serve(() =>
    new Response(
      new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(9)) }),
    )
  );
  using session = openSession(hub);
  const stop = new AbortController();
  setTimeout(() => stop.abort(new Error("enough")), 50);
  await assert.rejects(ask(session, hub.url, {}, stop.signal), /enough/);
  await assert.rejects(ask(session, hub.url, {}, stop.signal), /enough/);
});

Deno.test("readWhole: an answer without an end is cut off", async () => {
  await using hub = serve(() =>
    new Response(new ReadableStream({ pull: (c) => c.enqueue(new Uint8Array(65_536)) }))
  );
  using session = openSession(hub);
  await assert.rejects(ask(session, hub.url), refusal("PAYLOAD_TOO_LARGE"));
});

Deno.test("request: a status tells whether trying again helps, and for how long to wait", async () => {
  let status = 200;
  let headers: Record<string, string> = {};
  await using hub = serve(() => new Response(null, { status, headers }));
  using session = openSession(hub);
  const cases: [number, Record<string, string>, string, boolean][] = [
    [404, {}, "NOT_FOUND", false],
    [403, { "x-error-code": "GatedRepo" }, "FORBIDDEN", false],
    [400, {}, "UNAVAILABLE", false],
    [500, {}, "UNAVAILABLE", true],
    [429, { "retry-after": "7" }, "RATE_LIMITED", true],
    [503, { "retry-after": "7" }, "UNAVAILABLE", true],
  ];
  for (const [nowStatus, nowHeaders, code, retryable] of cases) {
    [status, headers] = [nowStatus, nowHeaders];
    await assert.rejects(ask(session, hub.url), (error) => {
      refusal(code)(error);
      const { retryable: found, details } = error as { retryable: boolean; details: object };
      assert.equal(found, retryable, String(status));
      assert.equal(
        "retryAfterMs" in details && details.retryAfterMs,
        retryable && status !== 500 && 7000,
      );
      return true;
    });
  }
});

Deno.test("readRetryAfter: reads seconds and dates of HTTP, and nothing else", () => {
  const nowMs = Date.UTC(2026, 0, 1);
  assert.equal(readRetryAfter("120", nowMs), 120_000);
  assert.equal(readRetryAfter("Thu, 01 Jan 2026 00:00:30 GMT", nowMs), 30_000);
  assert.equal(readRetryAfter("Wed, 31 Dec 2025 00:00:30 GMT", nowMs), 0);
  for (
    const other of [
      null,
      "",
      "-1",
      "1.5",
      "soon",
      "9".repeat(30),
      "Jan 2026",
      "Thu, 99 Jan 2026 00:00:30 GMT",
    ]
  ) {
    assert.equal(readRetryAfter(other, nowMs), undefined, String(other));
  }
});

Deno.test({
  name: "request: over TLS the certificate must be of the URL's host, whatever the address",
  ignore: opensslProblem() !== undefined,
  async fn() {
    const folder = await Deno.makeTempDir();
    const { tlsCert, tlsKey } = await makeCertificate(folder, { altNames: "DNS:files.test" });
    const [cert, key] = await Promise.all([tlsCert, tlsKey].map((path) => Deno.readTextFile(path)));
    await using server = serve(() => new Response("here"), { cert: cert!, key: key! });
    await using hub = serve(() => new Response("hub"));
    const allowedPrivateHosts = ["files.test", "other.test"];
    {
      using session = openSession(hub, { allowedPrivateHosts, caCerts: [cert!] });
      assert.equal(await ask(session, `https://files.test:${server.port}/`), "here");
      const other = ask(session, `https://other.test:${server.port}/`);
      await assert.rejects(other, refusal("UNAVAILABLE", /connection/));
    }
    using distrusting = openSession(hub, { allowedPrivateHosts });
    const distrusted = ask(distrusting, `https://files.test:${server.port}/`);
    await assert.rejects(distrusted, refusal("UNAVAILABLE", /connection/));
    await Deno.remove(folder, { recursive: true });
  },
});

interface TestServer extends AsyncDisposable {
  url: string;
  port: number;
}

/** As `hub.test`, which the sessions of these tests know. */
function serve(
  handler: Deno.ServeHandler<Deno.NetAddr>,
  options: { hostname?: string; port?: number; cert?: string; key?: string } = {},
): TestServer {
  const { cert, key, hostname = "127.0.0.1", port = 0 } = options;
  const stop = new AbortController();
  const listen = { hostname, port, onListen() {}, signal: stop.signal };
  const server = cert && key
    ? Deno.serve({ ...listen, cert, key }, handler)
    : Deno.serve(listen, handler);
  return {
    url: `http://hub.test:${server.addr.port}`,
    port: server.addr.port,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await server.finished;
    },
  };
}

function openSession(hub: TestServer, options: Partial<PullNetworkOptions> = {}) {
  return createPullNetwork({
    ...{ offline: false, endpoint: hub.url, allowedPrivateHosts: [] },
    resolve: () => Promise.resolve(["127.0.0.1"]),
    ...options,
  }).open();
}

async function ask(
  session: ReturnType<typeof openSession>,
  url: string,
  headers: Record<string, string> = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<string> {
  const { body } = await session.request(url, { headers, signal });
  return new TextDecoder().decode(await readWhole(body, { limitBytes: 100_000, host: "x" }));
}

function redirect(location: string): Response {
  return new Response(null, { status: 302, headers: { location } });
}
