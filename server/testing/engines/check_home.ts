// Holds a home to what support.ts says of it: every case of a backend that works, one refusal of each that does not.

import assert from "node:assert/strict";
import { errorStatus } from "../../../plugins/runtime/contract/error.ts";
import { caseNames } from "../../../plugins/runtime/engines/conformance/run_case.ts";
import type { SuiteEngine } from "../../../plugins/runtime/engines/conformance/suite.ts";
import type { Backend } from "../../../plugins/runtime/engines/engine.ts";
import type { SuiteHome } from "./cell_home.ts";

export interface HomeCheck {
  engine: SuiteEngine;
  backend: Backend;
}

export async function checkWorks(
  t: Deno.TestContext,
  home: SuiteHome,
  { engine, backend }: HomeCheck,
): Promise<void> {
  const threads = Math.min(2, navigator.hardwareConcurrency);
  for (const name of caseNames(engine, backend)) {
    await t.step(`${engine} on ${backend}: ${name}`, async () => {
      const error = await home.run({ engine, backend, name, threads });
      assert.equal(error && `${error.code}: ${error.message}`, undefined);
    });
  }
}

/** `says`: part of the reason, in the words that whoever asked reads. */
export async function checkRefused(
  t: Deno.TestContext,
  home: SuiteHome,
  { engine, backend, says }: HomeCheck & { says: string },
): Promise<void> {
  await t.step(`${engine} on ${backend}: refused, and nothing runs in its place`, async () => {
    const error = await home.run({ engine, backend, name: undefined, threads: 1 });
    assert.equal(error?.code, "UNSUPPORTED_FEATURE", error?.message);
    assert.equal(errorStatus[error.code], 400);
    assert.ok(error.message.includes(says), error.message);
  });
}
