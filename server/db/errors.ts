// What a database says, in bkg's error codes. Its own words, which may quote statements, stay in `cause`.

import { AppError } from "../../plugins/runtime/contract/error.ts";

/** Turns what either driver threw into an AppError; `sqlState` as in PostgreSQL's appendix A. */
export function toDbError(error: unknown, sqlState: string | undefined = codeOf(error)): AppError {
  if (error instanceof AppError) return error;
  const code = sqlState ?? "";
  const options = { cause: error };
  if (code === "23505") {
    return new AppError("CONFLICT", "There is such an entry already", options);
  }
  if (code === "40001" || code === "40P01") {
    return new AppError("CONFLICT", "Another change came in between", {
      ...options,
      retryable: true,
    });
  }
  if (code === "57014" || code === "55P03") return deadlineError(options);
  if (code === "53100") {
    return new AppError("UNAVAILABLE", "The disk of the database is full", options);
  }
  if (code.startsWith("28") || code === "3D000") {
    return new AppError("UNAVAILABLE", "The database does not let bkg in: see BKG_DATABASE_URL", {
      ...options,
      retryable: false,
    });
  }
  if (lost.some((known) => code.startsWith(known))) {
    return new AppError("UNAVAILABLE", "The database cannot be reached at the moment", options);
  }
  return new AppError("INTERNAL", "The database refused a statement", {
    ...options,
    ...(code === "" ? {} : { details: { sqlState: code } }),
  });
}

export function deadlineError(options: { cause?: unknown } = {}): AppError {
  return new AppError("DEADLINE_EXCEEDED", "The database did not answer in time", options);
}

export function closedError(): AppError {
  return new AppError("UNAVAILABLE", "The database is closed", { retryable: false });
}

export function lateError(): AppError {
  return new AppError("CONFLICT", "The transaction is over", { retryable: false });
}

/** Of what toDbError made INTERNAL; undefined for anything else. */
export function sqlStateOf(error: unknown): string | undefined {
  if (!(error instanceof AppError)) return undefined;
  return (error.details as { sqlState?: string } | undefined)?.sqlState;
}

/** Whether postgres.js or its socket threw it. */
export function isDriverError(error: unknown): boolean {
  return codeOf(error) !== undefined && !(error instanceof AppError);
}

/** Classes of SQLSTATE, and the names that Node and postgres.js give to lost connections. */
const lost = [
  ...["08", "57P", "53300", "53200", "58"],
  ...["CONNECTION_", "CONNECT_TIMEOUT", "ECONN", "EPIPE", "ETIMEDOUT", "EHOSTUNREACH", "ENOTFOUND"],
  ...["EAI_AGAIN", "ENETUNREACH", "ENOENT"],
];

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : undefined;
}
