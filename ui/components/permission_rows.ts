// A plugin's permissions one by one, in plain words: what it asks for, what it has, and what giving one changes.
// Caller: bkg-plugin-grants.

import type { Grant, Permissions, ServiceName } from "../../plugins/runtime/contract/grant.ts";

type Kind = "models" | "services" | "fetch" | "read" | "write" | "commands" | "capabilities";

export interface PermissionRow {
  kind: Kind;
  /** As the grant holds it; a command's argv. */
  entry: string | readonly string[];
  /** The entry as text: plugin-authored. */
  text: string;
  /** What it lets the plugin do. */
  meaning: string;
  /** Whether the manifest asks for it. */
  asked: boolean;
  granted: boolean;
  /** Granted by an entry of its own, and not by "*". */
  revocable: boolean;
}

/** Everything that is asked for, then what was given beyond that. */
export function listPermissions(asked: Permissions, granted: Grant): PermissionRow[] {
  return kinds.flatMap((kind) => {
    const wanted = entriesOf(asked, kind);
    const given = entriesOf(granted, kind);
    const wantedKeys = new Set(wanted.map(keyOf));
    const extra = given.filter((entry) => !wantedKeys.has(keyOf(entry)));
    return [...wanted, ...extra].map((entry, index): PermissionRow => ({
      kind,
      entry,
      text: typeof entry === "string" ? entry : entry.join(" "),
      meaning: meaningOf(kind, entry),
      asked: index < wanted.length,
      // As the contract's `covers` has it, whose module would bring all of zod into the page.
      granted: given.includes("*") || given.some((other) => keyOf(other) === keyOf(entry)),
      revocable: given.some((other) => keyOf(other) === keyOf(entry)),
    }));
  });
}

/** A copy of the grant with these permissions in it, or without them. */
export function withPermissions(
  granted: Grant,
  rows: readonly PermissionRow[],
  give: boolean,
): Grant {
  const next = (kind: Kind) => {
    const chosen = rows.filter((row) => row.kind === kind).map(({ entry }) => entry);
    const keys = new Set(chosen.map(keyOf));
    const others = entriesOf(granted, kind).filter((entry) => !keys.has(keyOf(entry)));
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

const kinds: readonly Kind[] = [
  "models",
  "services",
  "capabilities",
  "fetch",
  "read",
  "write",
  "commands",
];

export const kindTitles: Readonly<Record<Kind, string>> = {
  models: "Models",
  services: "Services of bkg",
  capabilities: "Other plugins",
  fetch: "Network",
  read: "Read files",
  write: "Write files",
  commands: "Commands",
};

const services: Readonly<Record<ServiceName, string>> = {
  models: "See which models there are and open those it was given",
  vectors: "Store and search vectors",
  kv: "Keep small data of its own",
  fetch: "Ask bkg to fetch from the network addresses it was given",
  files: "Ask bkg for the files it was given",
  commands: "Ask bkg to run the commands it was given",
  auth: "Learn who is calling",
  capabilities: "Call the capabilities of other plugins it was given",
  log: "Write to its own log",
};

function meaningOf(kind: Kind, entry: string | readonly string[]): string {
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

type Entry = string | readonly string[];

function entriesOf(grant: Grant, kind: Kind): readonly Entry[] {
  if (kind === "read" || kind === "write") return grant.files[kind];
  return grant[kind];
}

function keyOf(entry: Entry): string {
  return JSON.stringify(entry);
}
