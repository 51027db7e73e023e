// What README and docs/ show is run here: an example that does not work is a failure.

import assert from "node:assert/strict";
import { join } from "node:path";
import { builtinRoles, scopeNames } from "../auth/scopes.ts";
import { projectRoot } from "../build/bundles.ts";
import { startHub } from "./hub_server.ts";
import { startServer } from "./server_process.ts";

const documentedUrl = "http://127.0.0.1:43119";

Deno.test("README: the curl and the openai example answer", async () => {
  await using server = await startServer();
  const readme = await readDoc("README.md");
  const curl = block(readme, "sh", "curl")
    .replaceAll("~/.local/share/bkg", server.dataDir)
    .replaceAll(documentedUrl, server.url);
  const events = await run("sh", ["-c", curl]);
  assert.match(events, /"content":"[A-Z]/);
  assert.match(events, /data: \[DONE\]/);

  const example = `const token = ${JSON.stringify(server.token)};\n` +
    block(readme, "ts", "import OpenAI").replaceAll(documentedUrl, server.url);
  const file = join(server.dataDir, "example.ts");
  await Deno.writeTextFile(file, example);
  const lock = `--lock=${join(projectRoot, "deno.test.lock")}`;
  const args = ["run", "-A", "--config", join(projectRoot, "deno.json"), lock, file];
  assert.ok((await run(Deno.execPath(), args)).length > 100);
});

Deno.test("plugins/llmserver: the answer by a schema is one", async () => {
  await using server = await startServer();
  const curl = block(await readDoc("plugins/llmserver/README.md"), "sh", "response_format")
    .replaceAll("~/.local/share/bkg", server.dataDir)
    .replaceAll(documentedUrl, server.url);
  const [choice] = JSON.parse(await run("sh", ["-c", curl])).choices;
  assert.equal(choice.finish_reason, "stop");
  const { name, kind, age } = JSON.parse(choice.message.content);
  assert.equal(typeof name, "string");
  assert.ok(["red", "arctic", "grey"].includes(kind) && age >= 1 && age <= 14);
});

Deno.test("docs/plugins.md: the example is the one in docs/examples, and its call answers as shown", async () => {
  const page = await readDoc("docs/plugins.md");
  const example = "docs/examples/wordcount";
  assert.deepEqual(
    JSON.parse(block(page, "json", '"contract"')),
    JSON.parse(await readDoc(`${example}/plugin.json`)),
  );
  assert.equal(block(page, "ts", "definePlugin"), await readDoc(`${example}/plugin.ts`));

  await using server = await startServer({
    env: { BKG_PLUGIN_PATHS: join(projectRoot, "docs/examples") },
  });
  const curl = `TOKEN=${server.token}\n${block(page, "sh", "curl")}`
    .replaceAll(documentedUrl, server.url);
  assert.deepEqual(
    JSON.parse(await run("sh", ["-c", curl])),
    JSON.parse(block(page, "json", '{ "words": 3')),
  );
});

Deno.test("docs/websocket.md: the example hears events, and its call answers", async () => {
  await using server = await startServer();
  const page = await readDoc("docs/websocket.md");
  const example = block(page, "ts", "new WebSocket")
    .replaceAll("ws://127.0.0.1:43119", server.url.replace("http", "ws"));
  const file = join(server.dataDir, "example.js");
  await Deno.writeTextFile(
    file,
    `const token = ${JSON.stringify(server.token)};\n` +
      example.replace("message: unknown", "message"),
  );
  const printed = await run(Deno.execPath(), ["run", "-A", "--no-config", file]);
  assert.match(printed, /^llmserver (?:stopped|starting|running)/m);
  assert.match(printed, /^\d{15,} info Started llmserver/m);
  assert(printed.match(/^1 ./gm)!.length > 5, printed);
});

Deno.test("docs/accounts.md: its commands and requests do what it says, and no scope is left out", async () => {
  await using server = await startServer();
  const page = await readDoc("docs/accounts.md");
  const shell = [...page.matchAll(/```sh\n([^]*?)```/g)].map(([, text]) => text).join("\n")
    .replaceAll("~/.local/share/bkg", server.dataDir)
    .replaceAll(documentedUrl, server.url);
  const bkg = `bkg() { ${Deno.execPath()} run -A --no-prompt "${
    join(projectRoot, "server/cli/main.ts")
  }" "$@"; }\nexport BKG_DATA_DIR=${server.dataDir} BKG_URL=${server.url} NO_COLOR=1\n`;
  const end = '\nif curl -sf $BKG/v1/models -H "Authorization: Bearer $NEW"; then exit 1; fi';
  const printed = await run("sh", ["-ec", bkg + shell + end]);
  // The operator's, anna's, bob's twice, the kiosk's, carol's.
  assert.equal(printed.match(/#invitation=[\w-]+/g)?.length, 6);
  assert.match(printed, /^kiosk +user +invited +invoke:llm\.chat, models:read/m);
  assert.match(printed, /"name":"carol","role":"family"/);
  assert.match(printed, /"object":"list"/);
  assert.match(printed, /^Revoked [a-z0-9]{12}$/m);
  for (const scope of scopeNames) assert.ok(page.includes(`| \`${scope}\``), scope);
  for (const [role, scopes] of Object.entries(builtinRoles)) {
    assert.match(page, new RegExp(`\\| \`${role}\` +\\| \`${RegExp.escape(scopes.join(" "))}\``));
  }
});

Deno.test("docs/models.md: its commands pull, chat, and ask over HTTP", async () => {
  const demo = join(projectRoot, "models/demo/demo-stories-q8_0.gguf");
  await using hub = await startHub({
    files: {
      "Qwen/Qwen2-0.5B-Instruct-GGUF": { "qwen2-0_5b-instruct-q8_0.gguf": demo },
      "owner/name": { "a-Q4_K_M.gguf": demo, "a-Q8_0.gguf": demo, "file.gguf": demo },
      "some/where": { "story.gguf": demo },
    },
  });
  await using server = await startServer({ env: { HF_ENDPOINT: hub.url } });
  await Deno.copyFile(demo, join(server.dataDir, "story.gguf"));
  const page = await readDoc("docs/models.md");
  const shell = [...page.matchAll(/```sh\n([^]*?)```/g)].map(([, text]) => text).join("\n")
    .replace("https://models.example.org/story.gguf", `${hub.cdnUrl}/some/where/story.gguf`);
  const bkg =
    `bkg() { ${Deno.execPath()} run -A --no-prompt "${
      join(projectRoot, "server/cli/main.ts")
    }" "$@"; }\ncd ${server.dataDir}\nexport BKG_DATA_DIR=${server.dataDir} BKG_URL=${server.url}\n` +
    `BKG=${server.url} KEY=${server.token}\n`;
  const printed = await run("sh", ["-ec", `${bkg}${shell}\nbkg model list`], "Hello");
  assert.match(printed, /^[A-Z][a-z]+[^]*"code":"CONFLICT"/);
  for (const id of ["Qwen/Qwen2-0.5B-Instruct-GGUF:Q8_0", "owner/name:Q4_K_M", "my-story"]) {
    assert.match(printed, new RegExp(`^${RegExp.escape(id)} +chat`, "m"));
  }
  assert.match(printed, /Trusted my-story\nUntrusted my-story$/m);
});

Deno.test("every link of README and docs/ leads to a file", async () => {
  const pages = ["README.md", "CHANGELOG.md"];
  for await (const page of markdownFiles("docs")) pages.push(page);
  for await (const page of markdownFiles("plugins")) pages.push(page);
  for (const page of pages) {
    for (const [, target] of (await readDoc(page)).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
      if (target === undefined || /^[a-z]+:/.test(target)) continue;
      const path = join(projectRoot, page, "..", target);
      assert.ok(await Deno.stat(path).catch(() => undefined), `${page} links to "${target}"`);
    }
  }
});

async function* markdownFiles(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(join(projectRoot, folder))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) yield* markdownFiles(path);
    else if (entry.name.endsWith(".md")) yield path;
  }
}

function readDoc(path: string): Promise<string> {
  return Deno.readTextFile(join(projectRoot, path));
}

/** The first fenced block of the language that holds `mark`. */
function block(page: string, language: string, mark: string): string {
  for (const [, text] of page.matchAll(new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``, "g"))) {
    if (text?.includes(mark)) return text;
  }
  throw new Error(`no ${language} block with "${mark}"`);
}

async function run(command: string, args: string[], input = ""): Promise<string> {
  const options = { args, stdin: "piped", stdout: "piped", stderr: "piped" } as const;
  const child = new Deno.Command(command, options).spawn();
  const fed = new Blob([input]).stream().pipeTo(child.stdin).catch(() => {});
  const { stdout, stderr, success } = await child.output();
  await fed;
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}
