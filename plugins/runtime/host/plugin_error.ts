// What a plugin threw, as a client may see it: it must not speak for the host, nor send more than it may.
// The bus passes each error of a call through here, a running cell the one of its start.

import { AppError, type ErrorCode, type WireError } from "../contract/error.ts";

/** Codes that only the host may say: a plugin that sends one would speak for the host. */
export const hostCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "INVALID_MANIFEST",
  "INVALID_OUTPUT",
  "UNAUTHENTICATED",
  "FORBIDDEN",
  "METHOD_NOT_ALLOWED",
  "PLUGIN_DISABLED",
  "CONSENT_REQUIRED",
  "UNSUPPORTED_MEDIA_TYPE",
  "MISDIRECTED_REQUEST",
  "QUEUE_FULL",
  "INTERNAL",
]);

/** `error` without a `forged` code, and without details that are no JSON or more than 16 KiB of it. */
export function disarmError(error: AppError, forged: boolean): AppError {
  if (!forged && fitsDetails(error.details)) return error;
  return new AppError(forged ? "PLUGIN_ERROR" : error.code, error.message, {
    retryable: error.retryable,
    cause: error,
  });
}

/** For the status: without details, which are plugin-authored and of any size. */
export function bareWire({ code, message, retryable }: AppError): WireError {
  return { code, message: message.slice(0, 1000), retryable };
}

function fitsDetails(details: unknown): boolean {
  if (details === undefined) return true;
  let chars = 0;
  try {
    // Counted on the way: details of a frame's size would be written out before they are refused.
    const json = JSON.stringify(details, (key, value: unknown) => {
      chars += key.length + (typeof value === "string" ? value.length : 1);
      if (chars > maxDetailBytes || ArrayBuffer.isView(value)) throw new TypeError("no details");
      return value;
    });
    return json !== undefined && new TextEncoder().encode(json).length <= maxDetailBytes;
  } catch {
    return false;
  }
}

const maxDetailBytes = 16 * 1024;
