// Every page with real content: nothing that axe-core finds, nothing in the console, nothing wider than a phone.

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { skipUnless } from "../require.ts";
import { findAccessibilityProblems } from "./accessibility.ts";
import { browserProblem, openPageTest, signIn } from "./browser.ts";
import { listedPages, looks, pageListEnv, warmUp } from "./page_list.ts";

Deno.test({
  name: "every page is clean: axe-core, console, policy, and a phone's width",
  ignore: skipUnless("every page is clean", browserProblem()),
  async fn(t) {
    await using test = await openPageTest({ env: pageListEnv });
    await warmUp(test.server);
    for (const [look, options] of Object.entries(looks)) {
      const context = { ...options, reducedMotion: "reduce" } as const;
      const stranger = await test.newPage(context);
      const page = await test.newPage(context);
      await signIn(page, test.server);
      for (const { name, path, signedIn, settle } of listedPages) {
        await t.step(`${name}, ${look}`, async () => {
          const shown = signedIn ? page : stranger;
          await shown.goto("about:blank");
          await shown.goto(`${test.server.url}/${path}`);
          await settle(shown);
          await shown.waitForTimeout(300);
          assert.deepEqual(await findAccessibilityProblems(shown), []);
          assert.equal(await overflow(shown), 0);
          const problems = test.problems.splice(0);
          // The browser tells of every 404 that it goes to.
          assert.deepEqual(problems.filter((text) => !/status of 404/.test(text)), []);
        });
      }
      await stranger.context().close();
      await page.context().close();
    }
  },
});

/** Pixels by which the page is wider than its window. */
function overflow(page: Page): Promise<number> {
  return page.evaluate(
    "Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth)",
  );
}
