// The only reader of Deno.env: settings are validated once at the start and frozen.
// Callers: cli, compose. A setting that cannot be honoured yet is named in `warnings`, never ignored.

import { isAbsolute, join, resolve } from "node:path";
import { z } from "zod";
import { publicHub } from "../models/source.ts";
import { AppError } from "../plugins/runtime/contract/error.ts";
import { isProxyName, trustsEveryone } from "./http/trusted_proxies.ts";
import { type LogLevel, logLevels } from "./log.ts";

export type Env = Readonly<Record<string, string | undefined>>;

/** What flags may override, already as text: the same checks apply. */
export interface ConfigOverrides {
  host?: string;
  port?: string;
  dataDir?: string;
  logLevel?: string;
}

/** Frozen. Fields are named after their variables. */
export interface Config {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Absolute, as all paths here. */
  readonly dataDir: string;
  /** Extra read-only model folders. */
  readonly modelPaths: readonly string[];
  /** Where other programs keep models that they pulled, which are read in place; some may not be there. */
  readonly modelCaches: readonly string[];
  /** Of a hub that speaks as Hugging Face's does; without a slash at its end, may carry a path. */
  readonly hubEndpoint: string;
  /** Of packages with native engines, as npm reads it; undefined: the one that bkg was built from. */
  readonly npmRegistry?: string | undefined;
  /** Names that models and engines may be pulled from though their addresses are private. */
  readonly privateHosts: readonly string[];
  readonly pluginPaths: readonly string[];
  /** Without a slash at its end; may carry a path. */
  readonly publicUrl?: string | undefined;
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  /** Addresses, ranges, "loopback" and "private": whose X-Forwarded-* headers are believed. */
  readonly trustedProxies: readonly string[];
  /** PEM files; both or none. With them this server speaks TLS itself. */
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  /** No outbound call at all. */
  readonly offline: boolean;
  readonly logLevel: LogLevel;
  /** Variables that are set, here or by a flag in their place: they win over what is stored. */
  readonly given: readonly string[];
  /** One sentence for each variable that is set and not honoured. */
  readonly warnings: readonly string[];
}

export interface ReadConfigOptions {
  os?: "linux" | "darwin" | "windows" | string;
  cwd?: string;
}

/** The process's environment. */
export function readEnvironment(): Env {
  return Deno.env.toObject();
}

/** Validates the environment; throws INVALID_INPUT naming every bad variable and what it may be. */
export function readConfig(
  env: Env,
  overrides: ConfigOverrides = {},
  options: ReadConfigOptions = {},
): Config {
  const cwd = options.cwd ?? Deno.cwd();
  const given = (name: string, override?: string) => override ?? (env[name]?.trim() || undefined);
  const parsed = configSchema.safeParse({
    host: given("BKG_HOST", overrides.host),
    port: given("BKG_PORT", overrides.port),
    dataDir: resolve(
      cwd,
      given("BKG_DATA_DIR", overrides.dataDir) ?? defaultDataDir(env, options.os),
    ),
    modelPaths: folders(given("BKG_MODEL_PATHS"), { cwd, os: options.os }),
    modelCaches: modelCaches(env, { cwd, os: options.os }),
    hubEndpoint: given("HF_ENDPOINT"),
    npmRegistry: given("NPM_CONFIG_REGISTRY"),
    privateHosts: commaList(given("BKG_PRIVATE_HOSTS")),
    pluginPaths: folders(given("BKG_PLUGIN_PATHS"), { cwd, os: options.os }),
    publicUrl: given("BKG_PUBLIC_URL"),
    allowedHosts: commaList(given("BKG_ALLOWED_HOSTS")),
    allowedOrigins: commaList(given("BKG_ALLOWED_ORIGINS")),
    trustedProxies: commaList(given("BKG_TRUSTED_PROXIES")),
    tlsCert: absolute(given("BKG_TLS_CERT"), cwd),
    tlsKey: absolute(given("BKG_TLS_KEY"), cwd),
    offline: given("BKG_OFFLINE"),
    logLevel: given("BKG_LOG_LEVEL", overrides.logLevel),
  });
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => ({
      variable: variableOf[issue.path[0] as keyof typeof variableOf],
      message: issue.message,
    }));
    const text = issues.map(({ variable, message }) => `${variable} ${message}`).join("; ");
    throw new AppError("INVALID_INPUT", text, { details: { issues } });
  }
  const warnings = [...warningsOf(env), ...contradictionsOf(parsed.data)];
  const flags: Readonly<Record<string, string | undefined>> = { ...overrides };
  const config: Config = {
    ...parsed.data,
    given: [
      ...Object.entries(variableOf).filter(([field, name]) => given(name, flags[field]))
        .map(([, name]) => name),
      ...secretNames.filter((name) => given(name) ?? given(`${name}_FILE`)),
    ],
    warnings,
  };
  for (const value of Object.values(config)) if (Array.isArray(value)) Object.freeze(value);
  return Object.freeze(config);
}

/** Reads a secret from NAME, or from the file that NAME_FILE names; both at once are refused. */
export async function readSecret(
  env: Env,
  name: string,
  readTextFile: (path: string) => Promise<string> = Deno.readTextFile,
): Promise<string | undefined> {
  const value = env[name] || undefined;
  const path = env[`${name}_FILE`] || undefined;
  if (path === undefined) return value;
  if (value !== undefined) {
    throw new AppError("INVALID_INPUT", `Set either ${name} or ${name}_FILE, not both`);
  }
  try {
    return (await readTextFile(path)).replace(/\r?\n$/, "");
  } catch (cause) {
    throw new AppError("INVALID_INPUT", `${name}_FILE names "${path}", which cannot be read`, {
      cause,
    });
  }
}

/** BKG_DATABASE_URL, checked; undefined: the database is in the data folder. Messages do not quote it. */
export async function readDatabaseUrl(env: Env): Promise<string | undefined> {
  const url = (await readSecret(env, "BKG_DATABASE_URL"))?.trim();
  if (!url) return undefined;
  if (URL.canParse(url) && /^postgres(?:ql)?:$/.test(new URL(url).protocol)) return url;
  throw new AppError(
    "INVALID_INPUT",
    'BKG_DATABASE_URL must be a URL such as "postgres://bkg@db.lan/bkg"',
  );
}

/** Whether a bind address is reachable from this machine alone. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[|\]$/g, "");
  return name === "localhost" || name === "::1" || /^127(\.\d{1,3}){3}$/.test(name);
}

const origin = z.string().transform((text, context) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.pathname !== "/" || url.search) {
    context.addIssue(`must list origins such as "https://chat.example.org", not "${text}"`);
    return z.NEVER;
  }
  return url.origin;
});

/** http or https; without a slash at its end. */
const httpUrl = z.string().transform((text, context) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (
    url === undefined || !/^https?:$/.test(url.protocol) || url.search || url.hash || url.username
  ) {
    context.addIssue('must be an http or https URL, such as "https://example.org/bkg"');
    return z.NEVER;
  }
  return url.origin + url.pathname.replace(/\/+$/, "");
});

const configSchema = z.object({
  host: z.string().regex(
    /^[A-Za-z0-9._:%-]+$/,
    'must be a name or an address to bind, such as "127.0.0.1" or "0.0.0.0"',
  ).default("127.0.0.1"),
  port: z.string().regex(/^\d{1,5}$/, "must be a port from 0 to 65535, 0 for any free one")
    .transform(Number)
    .refine((port) => port <= 65535, "must be a port from 0 to 65535, 0 for any free one")
    .default(43119),
  dataDir: z.string(),
  modelPaths: z.array(z.string()),
  modelCaches: z.array(z.string()),
  hubEndpoint: httpUrl.default(publicHub),
  npmRegistry: httpUrl.optional(),
  privateHosts: z.array(
    z.string().toLowerCase().regex(
      /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])$/,
      'must list host names without a port, such as "models.lan"',
    ),
  ),
  pluginPaths: z.array(z.string()),
  publicUrl: httpUrl.optional(),
  allowedHosts: z.array(
    z.string().toLowerCase().regex(
      /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])$/,
      'must list host names without a port, such as "bkg.lan,nas.local"',
    ),
  ),
  allowedOrigins: z.array(origin),
  trustedProxies: z.array(
    z.string().toLowerCase().refine(
      isProxyName,
      'must list addresses, ranges such as "10.0.0.0/8", "loopback" or "private"',
    ),
  ),
  tlsCert: z.string().optional(),
  tlsKey: z.string().optional(),
  offline: z.enum(["1", "0", "true", "false"], 'must be "1" or "0"')
    .transform((text) => text === "1" || text === "true").default(false),
  logLevel: z.enum(logLevels, `must be one of ${logLevels.join(", ")}`).default("info"),
}).superRefine(({ tlsCert, tlsKey }, context) => {
  const missing = tlsCert === undefined ? "tlsCert" : "tlsKey";
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    const other = missing === "tlsCert" ? "BKG_TLS_KEY" : "BKG_TLS_CERT";
    context.addIssue({ code: "custom", path: [missing], message: `must be set with ${other}` });
  }
});

/** What may be stored in the place of a variable. */
export const editableShapes = {
  allowedHosts: configSchema.shape.allowedHosts,
  allowedOrigins: configSchema.shape.allowedOrigins,
  logLevel: configSchema.shape.logLevel.unwrap(),
};

const variableOf = {
  host: "BKG_HOST",
  port: "BKG_PORT",
  dataDir: "BKG_DATA_DIR",
  modelPaths: "BKG_MODEL_PATHS",
  modelCaches: "BKG_MODEL_CACHES",
  hubEndpoint: "HF_ENDPOINT",
  npmRegistry: "NPM_CONFIG_REGISTRY",
  privateHosts: "BKG_PRIVATE_HOSTS",
  pluginPaths: "BKG_PLUGIN_PATHS",
  publicUrl: "BKG_PUBLIC_URL",
  allowedHosts: "BKG_ALLOWED_HOSTS",
  allowedOrigins: "BKG_ALLOWED_ORIGINS",
  trustedProxies: "BKG_TRUSTED_PROXIES",
  tlsCert: "BKG_TLS_CERT",
  tlsKey: "BKG_TLS_KEY",
  offline: "BKG_OFFLINE",
  logLevel: "BKG_LOG_LEVEL",
} satisfies Record<keyof z.infer<typeof configSchema>, string>;

/** Read by the CLI, which is no server setting. */
const clientVariables = ["BKG_CA_FILE", "BKG_TOKEN", "BKG_TOKEN_FILE", "BKG_URL"];

/** Served, and not in Config, which others may show. */
const secretNames = ["BKG_ADMIN_PASSWORD", "BKG_DATABASE_URL", "HF_TOKEN"];
const secretVariables = secretNames.flatMap((name) => [name, `${name}_FILE`]);

function warningsOf(env: Env): string[] {
  const known = new Set<string>([
    ...Object.values(variableOf),
    ...clientVariables,
    ...secretVariables,
  ]);
  return Object.keys(env)
    .filter((name) => env[name] && name.startsWith("BKG_") && !known.has(name)).sort()
    .map((name) => `${name} is not a setting of bkg`);
}

/** What may be meant, and mostly is not. */
function contradictionsOf(
  { trustedProxies, tlsCert, publicUrl }: z.infer<typeof configSchema>,
): string[] {
  const found: string[] = [];
  if (trustsEveryone(trustedProxies)) {
    found.push("BKG_TRUSTED_PROXIES names every address: whoever connects may forge its own");
  }
  if (tlsCert !== undefined && publicUrl?.startsWith("http:")) {
    found.push('BKG_TLS_CERT is set, but BKG_PUBLIC_URL begins with "http:"');
  }
  return found;
}

function defaultDataDir(env: Env, os: string = Deno.build.os): string {
  const home = homeOf(env);
  if (os === "windows") return join(env["LOCALAPPDATA"] || join(home, "AppData", "Local"), "bkg");
  // The XDG specification: a relative path is invalid and must be ignored.
  const xdg = env["XDG_DATA_HOME"];
  if (xdg && isAbsolute(xdg)) return join(xdg, "bkg");
  if (os === "darwin") return join(home, "Library", "Application Support", "bkg");
  return join(home, ".local", "share", "bkg");
}

function folders(
  text: string | undefined,
  { cwd, os = Deno.build.os }: { cwd: string; os: string | undefined },
): string[] {
  const separator = os === "windows" ? ";" : /[:,]/;
  return (text ?? "").split(separator).map((part) => part.trim()).filter(Boolean)
    .map((part) => resolve(cwd, part));
}

/** Those that are named, or where Hugging Face's tools and Ollama keep theirs; "none", or nothing: no one's. */
function modelCaches(
  env: Env,
  where: { cwd: string; os: string | undefined },
): string[] {
  const named = env["BKG_MODEL_CACHES"]?.trim();
  if (named === "none") return [];
  if (named !== undefined) return folders(named, where);
  const home = homeOf(env);
  const cache = env["XDG_CACHE_HOME"] || join(home, ".cache");
  const huggingFace = env["HF_HUB_CACHE"] ||
    join(env["HF_HOME"] || join(cache, "huggingface"), "hub");
  const ollama = env["OLLAMA_MODELS"] || join(home, ".ollama", "models");
  return [huggingFace, ollama].map((path) => resolve(where.cwd, path));
}

function homeOf(env: Env): string {
  return env["HOME"] || env["USERPROFILE"] || ".";
}

function absolute(text: string | undefined, cwd: string): string | undefined {
  return text === undefined ? undefined : resolve(cwd, text);
}

function commaList(text: string | undefined): string[] {
  return (text ?? "").split(",").map((part) => part.trim()).filter(Boolean);
}
