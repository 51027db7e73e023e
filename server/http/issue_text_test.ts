import assert from "node:assert/strict";
import { z } from "zod";
import { issueText, meantIssue } from "./issue_text.ts";

Deno.test("issueText says what a field must be, and leaves a schema's own words", () => {
  for (
    const [schema, value, text] of [
      [z.string(), undefined, "must be there, as a string"],
      [z.boolean(), "yes", "must be true or false"],
      [z.int(), 1.5, "must be a whole number"],
      [z.coerce.number(), "soon", "must be a number"],
      [z.array(z.string()), {}, "must be a list"],
      [z.strictObject({}), [], "must be an object"],
      [z.strictObject({}), { dryrun: true }, 'has the unknown field "dryrun"'],
      [z.strictObject({}), { a: 1, b: 1 }, 'has the unknown fields "a", "b"'],
      [z.enum(["done", "failed"]), "what", 'must be "done" or "failed"'],
      [z.literal(true), false, "must be true"],
      [z.string().min(1), "", "must be at least 1 character"],
      [z.string().max(3), "four", "must be at most 3 characters"],
      [z.array(z.string()).min(2), [], "must have at least 2 items"],
      [z.number().min(0), -1, "must be at least 0"],
      [z.int().max(500), 501, "must be at most 500"],
      [z.union([z.string(), z.array(z.string())]), 5, "must be a string or a list"],
      [
        z.union([z.string(), z.array(z.string())]),
        undefined,
        "must be there, as a string or a list",
      ],
      [z.string().min(9, "is too easy"), "x", "is too easy"],
      [z.string().refine(() => false, "is no model"), "x", "is no model"],
    ] as const
  ) {
    const [issue] = schema.safeParse(value).error!.issues;
    assert.equal(issueText(issue!), text);
  }
});

Deno.test("meantIssue finds what is wrong with the alternative that was meant", () => {
  const one = z.union([z.string(), z.number()]);
  const schema = z.object({ stop: z.union([one, z.array(one).max(2)]) });
  for (
    const [stop, path, text] of [
      [true, ["stop"], "must be a string or a number or a list"],
      [["a", "b", "c"], ["stop"], "must have at most 2 items"],
      [["a", false], ["stop", 1], "must be a string or a number"],
    ] as const
  ) {
    const issue = meantIssue(schema.safeParse({ stop }).error!.issues[0]!);
    assert.deepEqual(issue.path, path);
    assert.equal(issueText(issue), text);
  }
});
