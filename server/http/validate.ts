// Checks a parsed body against a route's schema.

import type { z } from "zod";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { issueText, meantIssue } from "./issue_text.ts";

/** Throws INVALID_INPUT whose message and details name each bad field. */
export function validate<T extends z.ZodType>(schema: T, value: unknown): z.infer<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.map(meantIssue).map((issue) => ({
    path: issue.path.map((part) => `/${String(part)}`).join(""),
    message: issueText(issue),
  }));
  const text = issues.map(({ path, message }) => `${path || "(root)"}: ${message}`).join("; ");
  throw new AppError("INVALID_INPUT", `The body is not valid: ${text}`, { details: { issues } });
}
