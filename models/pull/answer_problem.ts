// What is wrong with an answer before its body is read: the status, or a compression that nobody asked for.
// Caller: network.ts.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import { readRetryAfter } from "./patience.ts";

/** Undefined for 2xx. Texts of the answer are not repeated: they are whoever's. */
export function answerProblem(
  { status, headers }: { status: number; headers: Headers },
  url: URL,
): AppError | undefined {
  const reason = /^[A-Za-z]{1,40}$/.exec(headers.get("x-error-code") ?? "")?.[0];
  const details = { status, host: url.host, ...(reason === undefined ? {} : { reason }) };
  if (status >= 200 && status < 300) {
    const encoding = headers.get("content-encoding");
    if (encoding === null || encoding === "identity") return undefined;
    return new AppError(
      "UNAVAILABLE",
      `"${url.host}" compresses the file, which nobody asked for`,
      {
        ...{ retryable: false, details },
      },
    );
  }
  if (status === 404 || status === 410) {
    return new AppError("NOT_FOUND", `"${url.host}" does not have it`, { details });
  }
  if (status === 401 || status === 403 || status === 407 || status === 451) {
    return new AppError("FORBIDDEN", `"${url.host}" refuses it with status ${status}`, { details });
  }
  const retryAfterMs = readRetryAfter(headers.get("retry-after"), Date.now());
  const waiting = { ...details, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  if (status === 429) {
    return new AppError("RATE_LIMITED", `"${url.host}" wants fewer requests`, { details: waiting });
  }
  return new AppError("UNAVAILABLE", `"${url.host}" answers with status ${status}`, {
    ...{ retryable: status === 408 || status === 425 || status >= 500, details: waiting },
  });
}
