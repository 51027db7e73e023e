// Permissions one by one, in plain words: what a plugin asks for, what it has, and what giving one changes.
// Callers: the grants of a host, the CLI and the page. Without zod, which the page does not load for it.

import type { Grant, Permissions, ServiceName } from "./grant.ts";

export type PermissionKind = keyof typeof kindTitles;

export interface ListedPermission {
  kind: PermissionKind;
  /** As the grant holds it; a command's argv. */
  entry: PermissionEntry;
  /** The entry as text: plugin-authored. */
  text: string;
  /** Kind and entry, such as `models: *`. */
  name: string;
  /** What it lets the plugin do. */
  meaning: string;
  /** Whether the manifest asks for it. */
  asked: boolean;
  granted: boolean;
  /** Granted by an entry of its own, and not by "*". */
  revocable: boolean;
  /** Not part of what was looked at before. */
  isNew: boolean;
}

export type PermissionEntry = string | readonly string[];

/** In the order in which permissions are listed. */
export const kindTitles = {
  models: "Models",
  services: "Services of bkg",
  capabilities: "Other plugins",
  fetch: "Network",
  read: "Read files",
  write: "Write files",
  commands: "Commands",
} as const;

/**
 * Everything that is asked for, then what was given beyond that. `consented` is what was asked for when somebody
 * last decided; without it nothing is new.
 */
export function listPermissions(
  asked: Permissions,
  granted: Grant,
  { consented = asked }: { consented?: Permissions | undefined } = {},
): ListedPermission[] {
  return kinds.flatMap((kind) => {
    const wanted = entriesOf(asked, kind);
    const given = entriesOf(granted, kind);
    const known = entriesOf(consented, kind);
    const extra = given.filter((entry) => !holds(wanted, entry));
    return [...wanted, ...extra].map((entry, index): ListedPermission => {
      const text = typeof entry === "string" ? entry : entry.join(" ");
      const isAsked = index < wanted.length;
      return {
        kind,
        entry,
        text,
        name: `${prefixes[kind] ?? kind}: ${text}`,
        meaning: meaningOf(kind, entry),
        asked: isAsked,
        granted: covers(given, entry),
        revocable: holds(given, entry),
        isNew: isAsked && !covers(known, entry),
      };
    });
  });
}

/** Names each permission in `asked` that `granted` does not cover, such as `models: *`; empty when all are. */
export function missingPermissions(asked: Permissions, granted: Grant): string[] {
  return listPermissions(asked, granted).filter(({ asked, granted }) => asked && !granted)
    .map(({ name }) => name);
}

/** A copy of the grant with these permissions in it, or without them. */
export function withPermissions(
  granted: Grant,
  permissions: readonly Pick<ListedPermission, "kind" | "entry">[],
  give: boolean,
): Grant {
  const next = (kind: PermissionKind) => {
    const chosen = permissions.filter((one) => one.kind === kind).map(({ entry }) => entry);
    const others = entriesOf(granted, kind).filter((entry) => !holds(chosen, entry));
    return give ? [...others, ...chosen] : others;
  };
  return {
    models: next("models") as string[],
    services: next("services") as ServiceName[],
    fetch: next("fetch") as string[],
    files: { read: next("read") as string[], write: next("write") as string[] },
    commands: next("commands").map((argv) => [...argv]),
    capabilities: next("capabilities") as string[],
  };
}

/** Whether a list of granted entries covers `wanted`; "*" covers all. */
export function covers(given: readonly PermissionEntry[], wanted: PermissionEntry): boolean {
  return given.includes("*") || holds(given, wanted);
}

/** Commands are told apart by their words: `["git log"]` is not `["git", "log"]`. */
function holds(entries: readonly PermissionEntry[], wanted: PermissionEntry): boolean {
  if (typeof wanted === "string") return entries.includes(wanted);
  return entries.some((entry) =>
    entry.length === wanted.length && wanted.every((word, index) => word === entry[index])
  );
}

const kinds = Object.keys(kindTitles) as PermissionKind[];

const prefixes: Partial<Record<PermissionKind, string>> = {
  read: "files.read",
  write: "files.write",
};

const services: Readonly<Record<ServiceName, string>> = {
  models: "See which models there are and open those it was given",
  vectors: "Store and search vectors",
  kv: "Keep small data of its own",
  fetch: "Ask bkg to fetch from the network addresses it was given",
  files: "Ask bkg for the files it was given",
  commands: "Ask bkg to run the commands it was given",
  auth: "Act for whoever calls it: sign in, and list, make and revoke their API keys",
  capabilities: "Call the capabilities of other plugins it was given",
  log: "Write to its own log",
};

function meaningOf(kind: PermissionKind, entry: PermissionEntry): string {
  const all = entry === "*";
  switch (kind) {
    case "models":
      return all ? "Read every model on this server" : "Read this model";
    case "services":
      return services[entry as ServiceName] ?? "Use this service";
    case "capabilities":
      return all
        ? "Call every capability of every plugin, as whoever calls it"
        : "Call this capability of another plugin";
    case "fetch":
      return all ? "Exchange data with any address" : "Exchange data with this address";
    case "read":
      return all ? "Read every file that the server can read" : "Read all files in this place";
    case "write":
      return all
        ? "Change every file that the server can change"
        : "Create, change and delete files in this place";
    case "commands":
      return "Run this program on the server, outside the sandbox";
  }
}

function entriesOf(grant: Grant, kind: PermissionKind): readonly PermissionEntry[] {
  if (kind === "read" || kind === "write") return grant.files[kind];
  return grant[kind];
}
