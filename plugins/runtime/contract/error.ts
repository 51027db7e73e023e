// The one error type that crosses every border of bkg: plugin, cell, bus, HTTP.
// Tests and clients read `code`; stacks and causes stay on the side that threw.

/** Every code a client may see, with the HTTP status it maps to (RFC 9110; 499 is nginx's). */
export const errorStatus = {
  INVALID_INPUT: 400,
  INVALID_MANIFEST: 400,
  UNSUPPORTED_FEATURE: 400,
  CONTEXT_OVERFLOW: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  GRANT_DENIED: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  CONFLICT: 409,
  PLUGIN_DISABLED: 409,
  CONSENT_REQUIRED: 409,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  MISDIRECTED_REQUEST: 421,
  INVALID_MODEL: 422,
  INVALID_PACKAGE: 422,
  RATE_LIMITED: 429,
  CANCELLED: 499,
  INTERNAL: 500,
  PLUGIN_ERROR: 500,
  OUT_OF_MEMORY: 500,
  INVALID_OUTPUT: 502,
  PROTOCOL_VIOLATION: 502,
  CELL_LOST: 502,
  QUEUE_FULL: 503,
  UNAVAILABLE: 503,
  TIMEOUT: 504,
  DEADLINE_EXCEEDED: 504,
  OUT_OF_DISK: 507,
} as const;

/** A stable, documented error code. */
export type ErrorCode = keyof typeof errorStatus;

/** The shape in which an error crosses a border. */
export interface WireError {
  code: ErrorCode;
  message: string;
  retryable: boolean;
  details?: unknown;
}

export interface AppErrorOptions {
  /** Whether the same call may succeed later without a change; default by code. */
  retryable?: boolean;
  /** Structured, public facts: the field, the limit, `retryAfterMs`. */
  details?: unknown;
  cause?: unknown;
}

const brand = Symbol.for("bkg.AppError");

/** An error with a public code. Messages are sentences without a full stop, values quoted. */
export class AppError extends Error {
  /** An engine is a bundle with a copy of this class: its errors are known by this, not by their prototype. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (this !== AppError) return Function.prototype[Symbol.hasInstance].call(this, value);
    return typeof value === "object" && value !== null && brand in value;
  }

  override readonly name = "AppError";
  readonly [brand] = true;
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly details: unknown;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? retryableCodes.has(code);
    this.details = options.details;
  }

  /** The HTTP status of this error's code. */
  get status(): number {
    return errorStatus[this.code];
  }

  /** What may leave the process: no stack, no cause. */
  toWire(): WireError {
    const wire: WireError = { code: this.code, message: this.message, retryable: this.retryable };
    if (this.details !== undefined) wire.details = this.details;
    return wire;
  }
}

/** Whether `value` names a known code. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(errorStatus, value);
}

/** Turns whatever was thrown into an AppError; unknown errors become `fallback`. */
export function toAppError(thrown: unknown, fallback: ErrorCode = "INTERNAL"): AppError {
  if (thrown instanceof AppError) return thrown;
  if (thrown instanceof DOMException && thrown.name === "AbortError") {
    return new AppError("CANCELLED", "The call was cancelled", { cause: thrown });
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new AppError(fallback, message.slice(0, maxMessageChars), { cause: thrown });
}

/** Reads a wire error that an untrusted peer wrote; anything malformed becomes PLUGIN_ERROR. */
export function fromWire(value: unknown): AppError {
  if (typeof value !== "object" || value === null) {
    return new AppError("PLUGIN_ERROR", "The plugin failed without a message");
  }
  const { code, message, retryable, details } = value as Record<string, unknown>;
  const text = typeof message === "string" ? message.slice(0, maxMessageChars) : "unknown error";
  const options: AppErrorOptions = {};
  if (typeof retryable === "boolean") options.retryable = retryable;
  if (details !== undefined) options.details = details;
  return new AppError(isErrorCode(code) ? code : "PLUGIN_ERROR", text, options);
}

const maxMessageChars = 2000;

const retryableCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "RATE_LIMITED",
  "CELL_LOST",
  "QUEUE_FULL",
  "UNAVAILABLE",
]);
