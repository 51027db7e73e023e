// `deno task engines`: writes the suite's table into docs/engines.md, between two comments; the rest of the page is prose.

import { join } from "node:path";
import { renderSupport } from "../../../plugins/runtime/engines/conformance/support.ts";
import { projectRoot } from "../../build/bundles.ts";

const path = join(projectRoot, "docs/engines.md");
const begin = "<!-- engines: written by `deno task engines` -->";
const end = "<!-- /engines -->";

/** What stands in the page, and what the suite says. */
export async function readEnginesTable(): Promise<{ found: string; expected: string }> {
  const { table } = split(await Deno.readTextFile(path));
  return { found: table, expected: `\n\n${renderSupport().trim()}\n\n` };
}

async function writeEnginesTable(): Promise<void> {
  const { before, after } = split(await Deno.readTextFile(path));
  const { expected } = await readEnginesTable();
  await Deno.writeTextFile(path, before + begin + expected + end + after);
}

function split(page: string): { before: string; table: string; after: string } {
  const [before, rest] = page.split(begin);
  const [table, after] = rest?.split(end) ?? [];
  if (before === undefined || table === undefined || after === undefined) {
    throw new Error(`"${path}" lacks "${begin}" or "${end}"`);
  }
  return { before, table, after };
}

if (import.meta.main) await writeEnginesTable();
