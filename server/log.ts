// Structured logs: one JSON object a line, or readable lines on a terminal. Secrets are redacted here,
// once, for every caller. Lines are written in batches; `flush` runs at the latest before the exit.

export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = typeof logLevels[number];
export type LogFields = Record<string, unknown>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** Whether a line of this level would be written; asked before costly fields are built. */
  enabled(level: LogLevel): boolean;
  /** From now on, for this logger and its children. */
  setLevel(level: LogLevel): void;
  /** A logger that adds `fields` to each line. */
  child(fields: LogFields): Logger;
  /** Writes what is held back. */
  flush(): void;
}

export interface LoggerOptions {
  level?: LogLevel;
  format?: "json" | "pretty";
  /** Takes whole lines, each with its newline. */
  write: (text: string) => void;
  /** Longest time a line is held back, ms; 0 writes at once. */
  batchMs?: number;
  now?: () => number;
}

export function createLogger(options: LoggerOptions): Logger {
  const { write, batchMs = 0, now = Date.now } = options;
  const format = options.format === "pretty" ? prettyLine : jsonLine;
  let threshold = logLevels.indexOf(options.level ?? "info");
  let held = "";
  let timer: ReturnType<typeof setTimeout> | undefined;

  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    if (held === "") return;
    const text = held;
    held = "";
    write(text);
  };
  const emit = (level: LogLevel, message: string, fields: LogFields) => {
    held += format({ atMs: now(), level, message: redactText(message), fields: redact(fields) });
    // An error may be the last thing this process says.
    if (batchMs === 0 || level === "error" || held.length > maxHeldChars) flush();
    else timer ??= setTimeout(flush, batchMs);
  };
  const build = (bound: LogFields): Logger => {
    const at = (level: LogLevel) => (message: string, fields?: LogFields) => {
      if (logLevels.indexOf(level) >= threshold) emit(level, message, { ...bound, ...fields });
    };
    return {
      debug: at("debug"),
      info: at("info"),
      warn: at("warn"),
      error: at("error"),
      enabled: (level) => logLevels.indexOf(level) >= threshold,
      setLevel(level) {
        threshold = logLevels.indexOf(level);
      },
      child: (fields) => build({ ...bound, ...fields }),
      flush,
    };
  };
  return build({});
}

/** Replaces what looks like a credential in a text. */
export function redactText(text: string): string {
  return text.replace(credential, "[redacted]");
}

interface Line {
  atMs: number;
  level: LogLevel;
  message: string;
  fields: LogFields;
}

const maxHeldChars = 64 * 1024;
const maxDepth = 6;
const credential =
  /bkg_[A-Za-z0-9]+_[A-Za-z0-9_-]{16,}|\bBearer\s+[^\s"']+|\bhf_[A-Za-z0-9]{16,}|(?<=:\/\/[^\s/@:]*:)[^\s/@]+(?=@)/gi;
const secretName =
  /^(?:.*(?:password|passphrase|secret|authorization|cookie|api[-_]?key|private[-_]?key).*|(?:.*[-_])?token|.*[a-z]Token)$/i;

function redact(fields: LogFields): LogFields {
  return clean(fields, 0) as LogFields;
}

function clean(value: unknown, depth: number): unknown {
  if (typeof value === "string") return redactText(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return value;
  if (depth >= maxDepth) return "[deep]";
  if (value instanceof Error) {
    const { name, message, stack, cause } = value;
    const code = (value as { code?: unknown }).code;
    return clean({ name, code, message, stack, cause }, depth + 1);
  }
  if (Array.isArray(value)) return value.map((item) => clean(item, depth + 1));
  const cleaned: LogFields = {};
  for (const [name, item] of Object.entries(value)) {
    if (item === undefined) continue;
    cleaned[name] = secretName.test(name) ? "[redacted]" : clean(item, depth + 1);
  }
  return cleaned;
}

function jsonLine({ atMs, level, message, fields }: Line): string {
  return JSON.stringify({ time: new Date(atMs).toISOString(), level, message, ...fields }) + "\n";
}

function prettyLine({ atMs, level, message, fields }: Line): string {
  const { error, ...rest } = fields as { error?: { stack?: unknown } };
  const time = new Date(atMs).toISOString().slice(11, 23);
  const pairs = Object.entries(rest).map(([name, value]) =>
    ` ${name}=${typeof value === "string" ? value : JSON.stringify(value)}`
  );
  const stack = error === undefined ? "" : `\n${error.stack ?? JSON.stringify(error)}`;
  const text = `${message}${pairs.join("")}${stack}`;
  // deno-lint-ignore no-control-regex -- a terminal would obey what a plugin or client wrote
  return `${time} ${level.padEnd(5)} ${text.replace(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/g, "�")}\n`;
}
