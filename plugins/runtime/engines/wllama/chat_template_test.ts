import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildBundles } from "../../../../server/build/bundles.ts";
import { ChatTemplate } from "./chat_template.ts";

const user = [{ role: "user", content: "hi" }];

Deno.test("ChatTemplate", async (t) => {
  const { folder } = await buildBundles({ log: () => {} });
  const code = new Uint8Array(readFileSync(join(folder, "engines/chat_template.js"))).buffer;
  const open = (template: string | undefined, limitMs?: number) =>
    new ChatTemplate({
      loadWorker: () => Promise.resolve(code),
      ...{ template, bos: "<s>", eos: "</s>" },
      ...(limitMs === undefined ? {} : { limitMs }),
    });

  await t.step(
    "one that does not end is INVALID_MODEL, and the next render is its own",
    async () => {
      const loop =
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}x";
      const endless = open(`{% if messages[0].content == "hi" %}${loop}{% endif %}ok`, 1000);
      await assert.rejects(endless.render(user), {
        code: "INVALID_MODEL",
        message: "The model's chat template did not end within 1 s",
      });
      assert.equal(await endless.render([{ role: "user", content: "other" }]), "ok");
      endless.close();
    },
  );

  await t.step(
    "one that refuses is INVALID_INPUT, and one that is none INVALID_MODEL",
    async () => {
      const cases = {
        "{{ raise_exception('roles must alternate') }}": "INVALID_INPUT",
        "{% if %}": "INVALID_MODEL",
        "{% for m in messages %}": "INVALID_MODEL",
      };
      for (const [template, expected] of Object.entries(cases)) {
        const opened = open(template);
        await assert.rejects(opened.render(user), { code: expected }, template);
        opened.close();
      }
      const odd = open(undefined);
      await assert.rejects(odd.render([{ role: 5, content: "x" } as never]), {
        code: "INVALID_INPUT",
      });
      odd.close();
    },
  );

  await t.step("what it is given, and the first token only once", async () => {
    const template = "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}" +
      "{{ eos_token }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";
    const opened = open(template);
    assert.equal(await opened.render(user), "[user]hi</s>[assistant]");
    const begun = [...user, { role: "assistant", content: "Well" }];
    assert.equal(await opened.render(begun), "[user]hi</s>[assistant]Well");
    opened.close();
    const plain = open(undefined);
    assert.equal(
      await plain.render(user),
      "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n",
    );
    plain.close();
  });

  await t.step("many at once get each their own", async () => {
    const opened = open("{{ messages[0].content }}");
    const texts = Array.from({ length: 20 }, (_, at) => `text ${at}`);
    const rendered = await Promise.all(
      texts.map((content) => opened.render([{ role: "user", content }])),
    );
    assert.deepEqual(rendered, texts);
    opened.close();
  });
});
