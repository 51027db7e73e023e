// Runs axe-core over a page as it is now. It comes over the debugging protocol: the page's policy lets no script in.

import axe from "axe-core";
import type { Page } from "playwright-core";

interface Violation {
  id: string;
  nodes: { target: unknown; failureSummary: string }[];
}

/** What axe finds wrong, each in one line; empty when nothing is. */
export async function findAccessibilityProblems(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(
    `axe.run(document, { resultTypes: ["violations"] })`,
  ) as { violations: Violation[] };
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) =>
      `${id} at ${JSON.stringify(target)}: ${failureSummary}`
    )
  );
}
