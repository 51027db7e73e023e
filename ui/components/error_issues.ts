// The places that an error of the server names, for the fields of a form.

import type { SchemaIssue } from "../../plugins/runtime/contract/schema.ts";
import { AppError } from "../../plugins/runtime/contract/error.ts";

/** `details.issues` of an error; `part` is the member of the body that the form is, such as "settings". */
export function issuesOf(error: unknown, part?: string): SchemaIssue[] {
  if (!(error instanceof AppError)) return [];
  const { issues } = (error.details ?? {}) as { issues?: unknown };
  if (!Array.isArray(issues)) return [];
  return issues.slice(0, maxIssues).flatMap((issue: unknown) => {
    const { path, message } = (issue ?? {}) as { path?: unknown; message?: unknown };
    if (typeof path !== "string" || typeof message !== "string") return [];
    const own = part !== undefined && (path === `/${part}` || path.startsWith(`/${part}/`))
      ? path.slice(part.length + 1)
      : path;
    return [{ path: own, message: message.slice(0, 300) }];
  });
}

/** What an error says of one field, as a sentence. */
export function issueAt(error: unknown, field: string): string | undefined {
  const issue = issuesOf(error).find(({ path }) => path === `/${field}`);
  if (issue !== undefined) {
    return `${issue.message.charAt(0).toUpperCase()}${issue.message.slice(1)}.`;
  }
  if (!(error instanceof AppError)) return undefined;
  const { field: named } = (error.details ?? {}) as { field?: unknown };
  return named === field ? `${error.message.slice(0, 300)}.` : undefined;
}

const maxIssues = 20;
