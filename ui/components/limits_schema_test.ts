import assert from "node:assert/strict";
import { z } from "zod";
import { limitsSchema as manifestLimits } from "../../plugins/runtime/contract/manifest.ts";
import { limitsSchema } from "./limits_schema.ts";

Deno.test("limitsSchema has every limit of the manifest, in the same range", () => {
  const defaults = manifestLimits.parse({});
  const form = limitsSchema(defaults) as { properties: Record<string, Record<string, unknown>> };
  const manifest = z.toJSONSchema(manifestLimits) as unknown as typeof form;
  assert.deepEqual(Object.keys(form.properties), Object.keys(manifest.properties));
  for (
    const [name, { type, minimum, maximum, default: standard }] of Object.entries(
      manifest.properties,
    )
  ) {
    const { title: _, description: __, ...range } = form.properties[name] ?? {};
    assert.deepEqual(range, { type, minimum, maximum, default: standard }, name);
  }
});
