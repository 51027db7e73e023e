import assert from "node:assert/strict";
import { plainJson, pythonLiteral, shellWord, writeCallExample } from "./call_examples.ts";

const nasty: unknown = {
  quotes: `'"\`\\' '\\'' """ ''' \${x} $(id) $TOKEN !! %s #{y}`,
  lines: "one\ntwo\r\nthree\tfour\u2028five",
  "a key 'with' \"quotes\" $HOME": ["--data", "@/etc/passwd", "-", ""],
  controls: "\u0000\u001b[31m\u007f\u009b",
  bidi: "\u202eexe.txt\u2066\u200b\ufeff",
  emoji: "😀 \ud800 é",
  markup: "</script><img src=x onerror=alert(1)>",
  values: [true, false, null, 0, -1.5, 1e21, 1e-7, [], {}],
  __proto__x: "dunder",
};

Deno.test("examples show nothing that is invisible, and never a key", () => {
  for (const language of ["curl", "javascript", "python"] as const) {
    for (const streaming of [true, false]) {
      const text = writeCallExample(language, {
        baseUrl: "http://127.0.0.1:1/",
        capability: "demo.echo",
        input: nasty,
        streaming,
      });
      assert.doesNotMatch(text.replaceAll("\n", ""), /\p{Cc}|\p{Cf}|\p{Zl}/u);
      assert.match(text, /TOKEN/);
      assert.equal(text.includes("text/event-stream"), streaming);
    }
  }
});

Deno.test("shellWord gives a POSIX shell back what it was given", async () => {
  const words = [plainJson(nasty), "", "'", "''", "\\", "$(exit 3)`exit 3`", "a\nb", "*", "~"];
  const script = `printf '%s\\0' ${words.map(shellWord).join(" ")}`;
  assert.deepEqual((await output("sh", ["-c", script])).split("\0").slice(0, -1), words);
});

Deno.test("pythonLiteral is the same value to Python", { ignore: !exists("python3") }, async () => {
  const program = `import json\nprint(json.dumps(${pythonLiteral(nasty)}))`;
  assert.deepEqual(JSON.parse(await output("python3", ["-c", program])), nasty);
});

for (const streaming of [false, true]) {
  const kind = streaming ? "streaming" : "plain";
  for (
    const [language, command] of [
      ["curl", ["curl", "sh", "-c"]],
      ["javascript", ["node", "node", "--input-type=module", "-e"]],
      ["python", ["python3", "python3", "-c"]],
    ] as const
  ) {
    const [needs, program, ...args] = command;
    Deno.test(`the ${kind} example of ${language} sends exactly the input`, {
      ignore: !exists(needs),
    }, async () => {
      await using server = answering();
      const text = writeCallExample(language, {
        baseUrl: server.baseUrl,
        capability: "demo.echo",
        input: nasty,
        streaming,
      });
      const printed = await output(program, [...args, text], { TOKEN: "s3cret" });
      const [call] = server.calls;
      assert.deepEqual(call?.body, nasty);
      assert.equal(call?.path, "/below/api/capabilities/demo.echo");
      assert.equal(call?.headers.get("authorization"), "Bearer s3cret");
      assert.equal(call?.headers.get("content-type"), "application/json");
      assert.equal(call?.headers.get("accept") === "text/event-stream", streaming);
      assert.match(printed, /first/);
      if (streaming) assert.match(printed, /last/);
    });
  }
}

interface Call {
  path: string;
  headers: Headers;
  body: unknown;
}

function answering() {
  const calls: Call[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { pathname: path } = new URL(request.url);
    calls.push({ path, headers: request.headers, body: await request.json() });
    if (request.headers.get("accept") !== "text/event-stream") {
      return Response.json({ item: "first" });
    }
    return new Response('data: {"item":"first"}\n\n: ping\n\nevent: result\ndata: "last"\n\n', {
      headers: { "content-type": "text/event-stream" },
    });
  });
  return {
    calls,
    baseUrl: `http://127.0.0.1:${server.addr.port}/below/`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

async function output(
  program: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<string> {
  const command = new Deno.Command(program, { args, env, stdout: "piped", stderr: "piped" });
  const { success, stdout, stderr } = await command.output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

function exists(program: string): boolean {
  try {
    return new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch {
    return false;
  }
}
