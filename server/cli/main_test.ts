import { toPlainLines } from "../../plugins/runtime/contract/plain_text.ts";
import assert from "node:assert/strict";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { noPermissions } from "../../plugins/runtime/contract/grant.ts";
import type { CliIo } from "./command.ts";
import { runCli } from "./main.ts";

const token = "bkg_operator_" + "A".repeat(43);

Deno.test("bkg: unknown commands and flags suggest, and exit with 2", async () => {
  for (
    const [args, pattern] of [
      [["serv"], /did you mean "serve"/],
      [["serve", "--prot", "1"], /did you mean "--port"/],
      [["plugin", "lsit"], /did you mean "list"/],
      [["plugin", "start"], /needs an ID/],
      [["run"], /needs a MODEL/],
      [["serve", "--port", "x"], /BKG_PORT must be a port/],
      [["serve", "--log", "loud"], /--log is "json" or "pretty"/],
      [[], /Usage: bkg COMMAND/],
    ] as const
  ) {
    const { io, printed } = terminal();
    const code = await runCli(args, io);
    assert.ok(code === 2 || code === 1, `${args}: ${code}`);
    assert.match(printed.err, pattern);
  }
});

Deno.test("bkg: --help explains all and each command", async () => {
  for (const args of [["--help"], ["serve", "-h"], ["plugin", "x", "--help"], ["help", "login"]]) {
    const { io, printed } = terminal();
    assert.equal(await runCli(args, io), 0);
    assert.match(printed.out, /Usage:/);
  }
});

Deno.test("bkg: no server says how to start one, exit code 3", async () => {
  const { io, printed } = terminal({ fetch: () => Promise.reject(new TypeError("refused")) });
  assert.equal(await runCli(["plugin", "list"], io), 3);
  assert.match(
    printed.err,
    /Nothing answers at http:\/\/127\.0\.0\.1:43119; start it with ".*bkg serve"/,
  );
});

Deno.test("bkg: the local key is not sent to another machine", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/admin-token`, token);
  const { io, printed } = terminal({
    env: { BKG_DATA_DIR: folder },
    fetch: () => assert.fail("no request may be made"),
  });
  assert.equal(await runCli(["plugin", "list", "--url", "http://example.org"], io), 1);
  assert.match(printed.err, /Set BKG_TOKEN/);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("bkg: what a plugin wrote cannot drive the terminal", async () => {
  const evil = "a\x1b]0;pwn\x07\u202eb\x9b2J\r";
  const { io, printed } = terminal({
    fetch: () =>
      Promise.resolve(
        Response.json({ lines: [{ atMs: 0, level: "info", source: "plugin", message: evil }] }),
      ),
  });
  assert.equal(await runCli(["plugin", "logs", "x"], io), 0);
  assert.doesNotMatch(printed.out.replaceAll("\n", ""), /[\p{Cc}\u202e]/u);
  assert.equal(toPlainLines("a\n\tb"), "a\n\tb");
});

Deno.test("bkg login: prints the link alone on stdout, and all of it as JSON", async () => {
  const made = { code: "c0de", url: "http://127.0.0.1:43119/#code=c0de", expiresAtMs: 9 };
  const asked: string[] = [];
  const world: World = {
    fetch: (url, init) => {
      asked.push(`${init?.method} ${url}`);
      return Promise.resolve(Response.json(made));
    },
  };
  const plain = terminal(world);
  assert.equal(await runCli(["login"], plain.io), 0);
  assert.equal(plain.printed.out, `${made.url}\n`);
  assert.match(plain.printed.err, /once, within 15 minutes/);
  assert.deepEqual(asked, ["POST http://127.0.0.1:43119/auth/codes"]);
  const json = terminal(world);
  assert.equal(await runCli(["login", "--json"], json.io), 0);
  assert.deepEqual(JSON.parse(json.printed.out), made);
  const evil = terminal({
    fetch: () => Promise.resolve(Response.json({ ...made, url: "http://x/\x1b]0;pwn\x07" })),
  });
  assert.equal(await runCli(["login"], evil.io), 0);
  assert.doesNotMatch(evil.printed.out.trimEnd(), /\p{Cc}/u);
});

Deno.test("bkg plugin grant: says what each permission means, and changes nothing without a yes", async () => {
  const world = granting();
  const shown = world.open();
  assert.equal(await runCli(["plugin", "grant", "x"], shown.io), 0);
  assert.match(shown.printed.out, /x 2\.0\.0 does not start before you decide\. It asks for:\n/);
  assert.match(shown.printed.out, / {2}models: tiny +Read this model +granted\n/);
  assert.match(shown.printed.out, / {2}fetch: a\.example +Exchange data with this address +new\n/);
  assert.doesNotMatch(shown.printed.out.replaceAll("\n", ""), /\p{Cc}|\u202e/u);
  for (const answer of ["", "n", undefined]) {
    const no = world.open(answer);
    assert.equal(await runCli(["plugin", "grant", "x", "--all"], no.io), 1);
    assert.match(no.printed.out, /Nothing was changed/);
  }
  assert.deepEqual(world.sent, []);
  const yes = world.open("y");
  assert.equal(await runCli(["plugin", "grant", "x"], yes.io), 0);
  assert.deepEqual(world.sent, [["/api/plugins/x/grants?revision=seen%2B1", requested]]);
  assert.match(yes.printed.out, /Version 1\.0\.0 still runs.*bkg plugin restart x\n/);
});

Deno.test("bkg plugin grant: a part of it, by flags; what is not asked for is a mistake", async () => {
  const parts: [string[], unknown][] = [
    [["--none"], noPermissions],
    [["--models", "a,b"], { ...requested, models: ["a", "b"] }],
    [["--deny", "fetch"], { ...requested, fetch: [] }],
    [["--deny", "files.write:/out", "--deny", "commands"], {
      ...requested,
      files: { read: [], write: [] },
      commands: [],
    }],
    [["--only", "models", "--only", "fetch: a.example"], {
      ...noPermissions,
      models: ["tiny"],
      fetch: ["a.example"],
    }],
    [["--yes"], requested],
  ];
  for (const [flags, granted] of parts) {
    const world = granting();
    assert.equal(await runCli(["plugin", "grant", "x", ...flags], world.open().io), 0);
    assert.deepEqual(world.sent.map(([, body]) => body), [granted], flags.join(" "));
  }
  const mistakes: [string[], RegExp][] = [
    [["--deny", "fetch: b.example"], /does not ask for "fetch: b\.example"; did you mean/],
    [["--only", "auth"], /does not ask for "auth"/],
    [["--deny", "f"], /does not ask for "f"/],
    [["--all", "--none"], /one of --all/],
  ];
  for (const [flags, message] of mistakes) {
    const world = granting();
    const { io, printed } = world.open();
    assert.equal(await runCli(["plugin", "grant", "x", ...flags], io), 2, flags.join(" "));
    assert.match(printed.err, message);
    assert.deepEqual(world.sent, []);
  }
  const world = granting();
  const asked = world.open("yes");
  assert.equal(await runCli(["plugin", "grant", "x", "--deny", "fetch"], asked.io), 0);
  assert.match(asked.printed.out, /It will not have: fetch: a\.example\n/);
});

Deno.test("bkg plugin list: tells which plugin needs consent", async () => {
  const view = { version: "1.0.0", capabilities: [], missingGrants: [], needsConsent: true };
  const views = [
    { ...view, id: "new", enabled: true, status: "stopped" },
    { ...view, id: "newer", enabled: true, status: "running" },
    { ...view, id: "off", enabled: false, status: "stopped" },
    { ...view, id: "fine", enabled: true, status: "stopped", needsConsent: false },
  ];
  const { io, printed } = terminal({
    fetch: (url) =>
      Promise.resolve(Response.json(String(url).endsWith("/plugins") ? { plugins: views } : {})),
  });
  assert.equal(await runCli(["plugin", "list"], io), 0);
  assert.match(printed.out, /^new +1\.0\.0 +needs consent /m);
  assert.match(printed.out, /^newer +1\.0\.0 +running, needs consent /m);
  assert.match(printed.out, /^off +1\.0\.0 +disabled, needs consent /m);
  assert.match(printed.out, /^fine +1\.0\.0 +stopped /m);
});

const requested = {
  ...noPermissions,
  models: ["tiny"],
  fetch: ["a.example"],
  files: { read: [], write: ["/out"] },
  commands: [["git", "\x1b]0;pwn\x07\u202e"]],
};

/** A server with a plugin that waits for consent to its newer version; `sent` is what was decided. */
function granting() {
  const sent: [string, unknown][] = [];
  const granted = { ...noPermissions, models: ["tiny"] };
  const grants = { version: "2.0.0", requested, granted, missing: [], consented: granted };
  const answer: World["fetch"] = (url, init) => {
    const { pathname, search } = new URL(String(url));
    if (init?.method === "PUT") sent.push([pathname + search, JSON.parse(String(init.body))]);
    const view = { id: "x", version: "1.0.0", status: "running" };
    return Promise.resolve(Response.json(
      pathname.endsWith("/grants") ? { ...grants, consent: "needed", revision: "seen+1" } : view,
    ));
  };
  return {
    sent,
    /** With an answer somebody sits at the terminal. */
    open: (...answers: [] | [string | undefined]) =>
      terminal({ fetch: answer, interactive: answers.length > 0, answers }),
  };
}

Deno.test("bkg run: prints the answer of one prompt, and an error as one line", async () => {
  const stream =
    'data: {"delta":"One"}\n\n: ping\n\ndata: {"delta":" two\\n"}\n\nevent: result\ndata: ' +
    JSON.stringify({
      usage: { promptTokens: 1, cachedTokens: 0, completionTokens: 2 },
      timings: { tokensPerSecond: 9, promptMs: 1 },
      backend: "wasm",
      threads: 1,
    }) + "\n\n";
  const good = terminal({
    fetch: (url) =>
      Promise.resolve(
        String(url).includes("/v1/models/") ? Response.json({ id: "m" }) : new Response(stream),
      ),
  });
  assert.equal(await runCli(["run", "m", "hi", "--verbose"], good.io), 0);
  assert.equal(good.printed.out, "One two\n\n");
  assert.match(good.printed.err, /9\.0 tokens\/s, 2 tokens/);
  const body = { code: "NOT_FOUND", detail: "There is no model" };
  const bad = terminal({ fetch: () => Promise.resolve(Response.json(body, { status: 404 })) });
  assert.equal(await runCli(["run", "m", "hi"], bad.io), 1);
  assert.equal(bad.printed.err, "bkg: There is no model\n");
});

Deno.test("bkg run: Ctrl-C stops the answer and not the program; /clear, /help and the end", async () => {
  const bodies: { messages: unknown[] }[] = [];
  const { io, printed, interrupt } = terminal({
    interactive: true,
    answers: ["/help", "one", "/clear", "two", undefined],
    fetch: (url, init) => {
      if (!String(url).endsWith("llm.chat")) return Promise.resolve(Response.json({ id: "m" }));
      bodies.push(JSON.parse(String(init!.body)));
      const body = new ReadableStream<Uint8Array>({
        start(to) {
          to.enqueue(new TextEncoder().encode('data: {"delta":"Once"}\n\n'));
          init!.signal!.addEventListener("abort", () => to.error(new AppError("CANCELLED", "x")));
          setTimeout(interrupt, 5);
        },
      });
      return Promise.resolve(new Response(body));
    },
  });
  assert.equal(await runCli(["run", "m"], io), 0);
  assert.equal(bodies.length, 2);
  assert.equal(bodies[1]!.messages.length, 1);
  assert.match(printed.out, /Once\n \[stopped\]/);
  assert.match(printed.out, /\/clear/);
});

interface World {
  env?: Record<string, string>;
  fetch?: (url: RequestInfo | URL, init?: RequestInit) => Promise<Response>;
  interactive?: boolean;
  answers?: (string | undefined)[];
}

function terminal({ env = {}, interactive = false, answers = [], ...world }: World = {}) {
  const printed = { out: "", err: "" };
  let onInterrupt: (() => void) | undefined;
  const io: CliIo = {
    env: env["BKG_DATA_DIR"] === undefined ? { BKG_TOKEN: token } : env,
    out: (text) => void (printed.out += text),
    err: (text) => void (printed.err += text),
    interactive,
    readAll: () => Promise.resolve("piped"),
    openPrompt: () => ({
      ask: () => Promise.resolve(answers.shift()),
      get onInterrupt() {
        return onInterrupt;
      },
      set onInterrupt(listener) {
        onInterrupt = listener;
      },
      [Symbol.dispose]: () => {},
    }),
    askSecret: () => Promise.resolve(answers.shift()),
    fetch: (world.fetch ?? (() => assert.fail("no request was expected"))) as typeof fetch,
  };
  return { io, printed, interrupt: () => onInterrupt?.() };
}
