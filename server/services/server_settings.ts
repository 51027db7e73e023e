// What an admin may set for the whole server while it runs, and what else is in force, with where it comes from.
// Callers: server_settings_store. A secret is never among the values.

import { z } from "zod";
import { type Config, editableShapes } from "../config.ts";

/** As `GET /admin/settings` shows it. */
export interface SettingView {
  name: string;
  /** Of a secret: "set" or null. */
  value: unknown;
  source: "environment" | "stored" | "default";
  /** The environment variable that wins over what is stored. */
  variable?: string;
  secret?: boolean;
  /** JSON Schema of what may be stored. */
  schema?: Record<string, unknown>;
  title: string;
  description: string;
  /** Whether a change is in force only after a restart. */
  restart: boolean;
  editable: boolean;
}

interface Described {
  title: string;
  description: string;
}

interface EditableSetting extends Described {
  schema: z.ZodType;
  default: unknown;
  /** The field of Config with the same name is the environment's. */
  variable?: string;
}

/** All are in force at once. */
export const editableSettings = {
  allowedHosts: {
    title: "Allowed hosts",
    description: "Names that this server answers to, besides localhost and its own address",
    schema: editableShapes.allowedHosts.max(100),
    default: [],
    variable: "BKG_ALLOWED_HOSTS",
  },
  allowedOrigins: {
    title: "Allowed origins",
    description: "Other sites whose pages may call this server (CORS)",
    schema: editableShapes.allowedOrigins.max(100),
    default: [],
    variable: "BKG_ALLOWED_ORIGINS",
  },
  logLevel: {
    title: "Log level",
    description: "The least of what the server's own log tells",
    schema: editableShapes.logLevel,
    default: "info",
    variable: "BKG_LOG_LEVEL",
  },
  auditDays: {
    title: "Days of audit",
    description: "How long it is kept who did what",
    schema: z.int().min(1).max(3650),
    default: 90,
  },
  usageDays: {
    title: "Days of usage",
    description: "How long calls and tokens are kept, by day",
    // A month's quota is read from it.
    schema: z.int().min(31).max(3650),
    default: 400,
  },
  backupHours: {
    title: "Hours between backups",
    description: "How often the database is backed up into the data folder; 0: never",
    schema: z.int().min(0).max(8760),
    default: 24,
  },
  backupsKept: {
    title: "Backups kept",
    description: "How many of these backups there are at most; the oldest goes first",
    schema: z.int().min(1).max(1000),
    default: 7,
  },
} as const satisfies Record<string, EditableSetting>;

export type EditableName = keyof typeof editableSettings;

export type SettingValues = {
  readonly [Name in EditableName]: z.infer<(typeof editableSettings)[Name]["schema"]>;
};

export function isEditable(name: string): name is EditableName {
  return Object.hasOwn(editableSettings, name);
}

/** What the process was started with. */
export function fixedViews(config: Config): SettingView[] {
  return fixedSettings.map(({ name, variable, title, description }) => {
    const given = config.given.includes(variable);
    return {
      name,
      value: config[name] ?? null,
      source: given ? "environment" : "default",
      variable,
      title,
      description,
      restart: true,
      editable: false,
    };
  });
}

/** Only whether they are set. */
export function secretViews({ given }: Config): SettingView[] {
  return secretSettings.map(({ name, variable, title, description }) => {
    const isSet = given.includes(variable);
    return {
      name,
      value: isSet ? "set" : null,
      source: isSet ? "environment" : "default",
      variable,
      secret: true,
      title,
      description,
      restart: true,
      editable: false,
    };
  });
}

interface FixedSetting<Name extends string> extends Described {
  name: Name;
  variable: string;
}

const fixedSettings: readonly FixedSetting<keyof Config>[] = [
  {
    name: "host",
    variable: "BKG_HOST",
    title: "Address",
    description: "What the server listens on; 127.0.0.1 is this machine alone",
  },
  { name: "port", variable: "BKG_PORT", title: "Port", description: "0: any free one" },
  {
    name: "publicUrl",
    variable: "BKG_PUBLIC_URL",
    title: "Public URL",
    description: "Where clients reach the server, behind a proxy; may carry a path",
  },
  {
    name: "trustedProxies",
    variable: "BKG_TRUSTED_PROXIES",
    title: "Trusted proxies",
    description: "Whose X-Forwarded-* headers are believed",
  },
  {
    name: "tlsCert",
    variable: "BKG_TLS_CERT",
    title: "TLS certificate",
    description: "A PEM file; read again when it changes",
  },
  { name: "tlsKey", variable: "BKG_TLS_KEY", title: "TLS key", description: "A PEM file" },
  {
    name: "dataDir",
    variable: "BKG_DATA_DIR",
    title: "Data folder",
    description: "Database, logs, models and backups",
  },
  {
    name: "modelPaths",
    variable: "BKG_MODEL_PATHS",
    title: "Model folders",
    description: "Further folders with models, which are only read",
  },
  {
    name: "modelCaches",
    variable: "BKG_MODEL_CACHES",
    title: "Model caches",
    description: "Models of Hugging Face's tools and of Ollama, which are used where they are",
  },
  {
    name: "hubEndpoint",
    variable: "HF_ENDPOINT",
    title: "Model hub",
    description: "Where models are pulled from",
  },
  {
    name: "privateHosts",
    variable: "BKG_PRIVATE_HOSTS",
    title: "Private hosts",
    description: "Names of one's own network that models may be pulled from",
  },
  {
    name: "pluginPaths",
    variable: "BKG_PLUGIN_PATHS",
    title: "Plugin folders",
    description: "Folders of further plugins",
  },
  {
    name: "offline",
    variable: "BKG_OFFLINE",
    title: "Offline",
    description: "Whether the server makes no outbound call at all",
  },
];

const secretSettings: readonly FixedSetting<string>[] = [
  {
    name: "databaseUrl",
    variable: "BKG_DATABASE_URL",
    title: "Database",
    description: "A PostgreSQL; without one the database is in the data folder",
  },
  {
    name: "adminPassword",
    variable: "BKG_ADMIN_PASSWORD",
    title: "First password",
    description: 'Of the account "admin", at the first start',
  },
  {
    name: "hubToken",
    variable: "HF_TOKEN",
    title: "Hub token",
    description: "For models that the hub gives to some alone; no other host gets it",
  },
];
