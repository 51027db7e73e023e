// `deno task screenshots`: every page, light, dark and on a phone, into docs/screenshots/.

import { join } from "node:path";
import { projectRoot } from "../../build/bundles.ts";
import { openPageTest, signIn } from "./browser.ts";
import { listedPages, looks, pageListEnv, warmUp } from "./page_list.ts";

const folder = join(projectRoot, "docs/screenshots");
await Deno.mkdir(folder, { recursive: true });
await using test = await openPageTest({ env: pageListEnv });
await warmUp(test.server);
for (const [look, options] of Object.entries(looks)) {
  const context = { ...options, reducedMotion: "reduce" } as const;
  const stranger = await test.newPage(context);
  const page = await test.newPage(context);
  await signIn(page, test.server);
  for (const { name, path, signedIn, settle } of listedPages) {
    const shown = signedIn ? page : stranger;
    await shown.goto("about:blank");
    await shown.goto(`${test.server.url}/${path}`);
    await settle(shown);
    // Charts and the first samples of telemetry.
    await shown.waitForTimeout(2500);
    await shown.screenshot({ path: join(folder, `${name}-${look}.png`), animations: "disabled" });
    console.log(`docs/screenshots/${name}-${look}.png`);
  }
}
// The browser tells of every 404 that it goes to; one page is that.
const problems = test.problems.filter((text) => !/status of 404/.test(text));
if (problems.length > 0) {
  console.error(problems.join("\n"));
  Deno.exitCode = 1;
}
