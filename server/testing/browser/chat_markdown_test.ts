// What a model may write, shown in a real browser under the page's own policy: nothing of it runs, loads or freezes.

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { skipUnless } from "../require.ts";
import { browserProblem, openPageTest, type PageTest, signIn } from "./browser.ts";

interface Shown {
  html: string;
  text: string;
  /** Longest time that the page could do nothing else, ms; 0 is less than 50. */
  longestTaskMs: number;
}

Deno.test({
  name: "bkg-markdown: hostile and huge answers",
  ignore: skipUnless("chat markdown", browserProblem()),
  async fn(t) {
    await using test = await openPageTest();
    const page = await openChats(test);

    await t.step("markup: no tag, attribute or address of the model's is live", async () => {
      for (const [name, text] of Object.entries(hostileTexts)) {
        const { html } = await show(page, text);
        assert.deepEqual(await findForbidden(page), [], `${name}: ${html}`);
      }
      assert.deepEqual(
        await page.evaluate("globalThis.ran ?? 'nothing'"),
        "nothing",
      );
    });

    await t.step("links: they say where they lead, and take nothing along", async () => {
      await show(
        page,
        "[https://bank.example](https://user@evil.example/login) [x](javascript:ran=1) <https://a.example/> " +
          "[m](mailto:a@b.example?body=stolen) ![pixel](https://tracker.example/p.png) [home](/dashboard)",
      );
      const links = await page.evaluate(`Array.from(
        document.querySelector("#subject").shadowRoot.querySelectorAll("a"),
        (link) => ({
          href: link.getAttribute("href"),
          rel: link.rel,
          target: link.target,
          text: link.textContent,
        }),
      )`);
      const common = { rel: "noopener noreferrer nofollow", target: "_blank" };
      assert.deepEqual(links, [
        {
          ...common,
          href: "https://evil.example/login",
          text: "https://bank.example evil.example",
        },
        { ...common, href: "https://a.example/", text: "https://a.example/" },
        { ...common, href: "mailto:a@b.example", text: "m a@b.example" },
        { ...common, href: "https://tracker.example/p.png", text: "image: pixel tracker.example" },
      ]);
    });

    await t.step("code: it is coloured, copied as it is, and says when it deceives", async () => {
      const code = "const a = '<b>'; // \u202e reversed";
      await show(page, `\`\`\`ts\n${code}\n\`\`\``);
      await page.locator("#subject .hljs-keyword").waitFor();
      assert.equal(await page.locator("#subject code").textContent(), code);
      assert.match(await page.locator("#subject .warning").innerText(), /reorder/);
      const copied = await page.evaluate(
        `document.querySelector("#subject").shadowRoot.querySelector("bkg-copy-button").text`,
      );
      assert.equal(copied, code);
    });

    await t.step("growing: an answer looks the same, however it came", async () => {
      const whole = await show(page, tour);
      for (const size of [1, 7]) {
        const grown = await show(page, tour, { pieces: size });
        assert.equal(withoutColours(grown.html), withoutColours(whole.html));
      }
    });

    await t.step("growing: a finished block is not touched again", async () => {
      const kept = await page.evaluate(`(async () => {
        const subject = document.createElement("bkg-markdown");
        let text = "# A title\\n\\n";
        Object.assign(subject, { text, growing: true });
        document.body.append(subject);
        await new Promise(requestAnimationFrame);
        const first = subject.shadowRoot.querySelector(".block > *");
        for (const more of ["\\n\\nanother", " word", "\\n\\n- and", " a list"]) {
          Object.assign(subject, { text: text += more });
          await new Promise(requestAnimationFrame);
        }
        const blocks = subject.shadowRoot.querySelectorAll(".block").length;
        const same = first === subject.shadowRoot.querySelector(".block > *");
        subject.remove();
        return same && blocks === 3;
      })()`);
      assert.ok(kept);
    });

    await t.step("size: a page that does freeze is noticed", async () => {
      const { longestTaskMs } = await show(page, "short", { blockMs: 2 * maxTaskMs });
      assert.ok(longestTaskMs >= 2 * maxTaskMs, `${longestTaskMs} ms`);
    });

    await t.step("size: nothing freezes the page, and all of it can be had", async () => {
      for (const [name, text] of Object.entries(hugeTexts())) {
        const shown = await show(page, text);
        console.log(
          `    ${name}: ${text.length} characters, longest task ${shown.longestTaskMs} ms`,
        );
        assert.notEqual(shown.text.trim(), "", name);
        assert.ok(shown.longestTaskMs < maxTaskMs, `${name}: ${shown.longestTaskMs} ms`);
      }
      const { text } = await show(page, hugeTexts().table ?? "", { all: true });
      assert.ok(text.includes("row 9999"));
    });

    await t.step("size: an answer that grows to a megabyte does not freeze the page", async () => {
      for (const name of ["prose", "unclosedCode", "brackets"] as const) {
        const text = hugeTexts()[name] ?? "";
        const shown = await show(page, text, { pieces: 8192 });
        console.log(`    ${name}: longest task ${shown.longestTaskMs} ms`);
        assert.notEqual(shown.text.trim(), "", name);
        assert.ok(shown.longestTaskMs < maxTaskMs, `${name}: ${shown.longestTaskMs} ms`);
      }
    });

    assert.deepEqual(test.problems, []);
  },
});

async function openChats(test: PageTest): Promise<Page> {
  const page = await test.newPage();
  const { origin } = new URL(test.server.url);
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol.startsWith("http") && url.origin !== origin) test.problems.push(request.url());
  });
  await signIn(page, test.server, "chats");
  await page.locator("bkg-composer textarea").waitFor();
  // The first answer loads the renderer; what follows is about rendering alone.
  await show(page, "**warm**");
  await page.locator("#subject strong").waitFor();
  return page;
}

/** Shows `text` in an element of its own, at once or in pieces of so many characters. */
function show(
  page: Page,
  text: string,
  { pieces, all = false, blockMs = 0 }: { pieces?: number; all?: boolean; blockMs?: number } = {},
): Promise<Shown> {
  return page.evaluate(`(${showInPage})(${JSON.stringify({ text, pieces, all, blockMs })})`);
}

const showInPage = `async ({ text, pieces, all, blockMs }) => {
  document.querySelector("#subject")?.remove();
  const subject = document.createElement("bkg-markdown");
  subject.id = "subject";
  document.body.append(subject);
  let longestTaskMs = 0;
  const note = (entries) => {
    for (const { duration } of entries) longestTaskMs = Math.max(longestTaskMs, duration);
  };
  const observer = new PerformanceObserver((list) => note(list.getEntries()));
  const frame = () => new Promise(requestAnimationFrame);
  // The task that brought this script is not the page's.
  await frame();
  await frame();
  observer.observe({ type: "longtask" });
  for (const untilMs = performance.now() + blockMs; performance.now() < untilMs;);
  const size = pieces ?? text.length;
  let count = 0;
  for (let at = size; at < text.length; at += size) {
    Object.assign(subject, { text: text.slice(0, at), growing: true });
    // Small pieces come several a frame, as they do from a fast model.
    if (size > 100 || count++ % 5 === 0) await frame();
  }
  Object.assign(subject, { text, growing: false });
  await subject.updateComplete;
  const root = subject.shadowRoot;
  const settle = async () => {
    for (let before = -1; before !== root.querySelectorAll(".block").length;) {
      before = root.querySelectorAll(".block").length;
      for (let frames = 0; frames < 4; frames++) await frame();
    }
  };
  await settle();
  if (all) {
    root.querySelector(".rest").click();
    await settle();
  }
  await new Promise((resolve) => setTimeout(resolve, 100));
  note(observer.takeRecords());
  observer.disconnect();
  const body = root.querySelector(".body");
  return { html: body.innerHTML, text: body.textContent, longestTaskMs };
}`;

/** Everything in the rendered answer that could do something. */
function findForbidden(page: Page): Promise<string[]> {
  return page.evaluate(`(() => {
    const allowed = new Set(
      ("div p br hr h3 h4 h5 h6 strong em del code pre blockquote ul ol li table thead tbody tr th td a span " +
        "figure figcaption button bkg-copy-button").split(" "),
    );
    const attributes = new Set(
      "class dir href rel target start align tabindex role aria-label type data-language label".split(" "),
    );
    const elements = document.querySelector("#subject").shadowRoot.querySelectorAll(".body *");
    return Array.from(elements).flatMap((element) => [
      ...allowed.has(element.localName) ? [] : ["<" + element.localName + ">"],
      ...Array.from(element.attributes, ({ name }) => name).filter((name) => !attributes.has(name)),
      ...element.localName === "a" && !/^(?:https?|mailto):/.test(element.href) ? [element.href] : [],
    ]);
  })()`);
}

/** A machine that is busy with other tests takes several times what a free one does. */
const maxTaskMs = 600;

/** Colours come a moment later. */
function withoutColours(html: string): string {
  return html.replaceAll(/<span class="hljs[^>]*>|<\/span>/g, "");
}

const hostileTexts: Record<string, string> = {
  script: "<script>ran = 1</script>\n\n<script src=//evil.example></script>",
  handlers: '<img src=x onerror="ran = 1"> <svg onload=ran=1> <details ontoggle=ran=1 open>x',
  frames: "<iframe srcdoc='<script>parent.ran=1</script>'></iframe><object data=x><embed src=x>",
  forms: '<form action=//evil.example><input name=q><button formaction="javascript:ran=1">x</form>',
  styles:
    "<style>*{display:none}</style><p style='position:fixed;inset:0'>x</p><link rel=stylesheet href=//e>",
  clobber: "<a id=app name=app>x</a><form id=cookie><input name=firstChild></form>",
  base: "<base href=//evil.example><meta http-equiv=refresh content='0;url=//evil.example'>",
  addresses: "[a](javascript:ran=1) [b](JAVASCRIPT:ran=1) [c](data:text/html,x) [d](vbscript:x) " +
    "[e](java&#x73;cript:ran=1) [f](&#1;javascript:ran=1) <javascript:ran=1> [g](//evil.example) [h](#x)",
  reference: "[a][1]\n\n[1]: javascript:ran=1 'title'",
  image: '![x](https://evil.example/a.png "onerror=ran=1") !["><img src=x onerror=ran=1>](y)',
  quotes:
    '[a](https://x.example/"onmouseover="ran=1) [b](https://x.example "a\\" onclick=\\"ran=1")',
  code:
    '```html\n<script>ran=1</script>\n```\n`<img src=x onerror=ran=1>`\n```"><script>ran=1</script>\nx\n```',
  table: "|<script>ran=1</script>|b|\n|:-:|-:|\n|<img src=x onerror=ran=1>|[x](javascript:ran=1)|",
  mutation:
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=ran=1&gt;">',
  template:
    '<template><script>ran=1</script></template><noscript><p title="</noscript><img src=x onerror=ran=1>">',
  bidi: "\u202eevil\u202c \u2066x\u2069 [\u202egro.elpmaxe](https://evil.example)",
  elements: "<bkg-plugin></bkg-plugin><bkg-markdown></bkg-markdown><slot name=x></slot>",
};

const tour = [
  "# Title",
  "Words with **bold**, *italic*, `code`, ~~gone~~ and https://example.org.",
  "- one\n- two\n  - three\n\n    more\n- [x] done",
  "1. a\n2. b",
  "> quoted\n> twice",
  "| a | b |\n|--:|---|\n| 1 | `x` |",
  "```js\nconst a = 1;\n\nlet b;\n```",
  "Heading below\n---",
  "* * *",
  "مرحبا **بالعالم**",
  "The end",
].join("\n\n");

function hugeTexts() {
  const chars = 2 ** 20;
  return {
    prose: "Some *words* and **more** of `them`. ".repeat(chars / 37),
    paragraphs: "A paragraph.\n\n".repeat(chars / 14),
    table: `| n | text |\n|---|---|\n${
      Array.from({ length: 10_000 }, (_, row) => `| ${row} | row ${row} |`).join("\n")
    }`,
    wideTable: `${"|a".repeat(5000)}|\n${"|-".repeat(5000)}|\n${"|x|\n".repeat(5000)}`,
    nestedList: Array.from({ length: 10_000 }, (_, depth) => `${"  ".repeat(depth % 500)}- x`).join(
      "\n",
    ),
    nestedQuote: `${">".repeat(10_000)} x`,
    // They end in a word: marks alone are a rule, which nests nothing.
    nestedMarks: `${"- ".repeat(1500)}x`,
    nestedMarksCut: `${"- ".repeat(10_000)}x`,
    unclosedCode: `\`\`\`js\n${"let a = 1; // some code\n".repeat(chars / 24)}`,
    oneLine: "x".repeat(chars),
    emphasis: "*a **b ".repeat(chars / 7),
    underscores: "_a__".repeat(chars / 4),
    brackets: "[".repeat(chars),
    links: "[a](".repeat(chars / 4),
    backticks: "`a``".repeat(chars / 4),
    lines: "a\n".repeat(chars / 2),
    angles: "<".repeat(chars),
  } satisfies Record<string, string>;
}
