// Which plugins are known, and which of them owns a capability. Manifests are untrusted: a bad one is known
// too, with the problem that keeps it from starting, and never keeps the host or another plugin from it.

import type { Capability } from "../contract/capability.ts";
import { AppError, toAppError } from "../contract/error.ts";
import { noPermissions } from "../contract/grant.ts";
import { limitsSchema, type Manifest, parseManifest, pluginId } from "../contract/manifest.ts";
import { contractVersion } from "../contract/message.ts";
import { type CheckValue, compileSchema } from "../contract/schema.ts";
import { closeNames } from "../contract/close_names.ts";
import type { PluginOrigin } from "./host.ts";
import { toPlainText } from "../contract/plain_text.ts";

/** A plugin as it was found. */
export interface InstalledPlugin {
  /** Where it was found, such as its folder's name; its id while the manifest has no valid one. */
  source: string;
  origin: PluginOrigin;
  /** plugin.json as parsed JSON, unchecked; an Error when it could not be read. */
  manifest: unknown;
  /** Reads the bundle, at each start. */
  loadCode(): Promise<string>;
  /** The plugin as it is found now; without it, it never becomes another version. */
  reread?(): Promise<InstalledPlugin>;
}

export interface KnownPlugin {
  readonly id: string;
  readonly origin: PluginOrigin;
  readonly manifest: Manifest;
  readonly routes: readonly CapabilityRoute[];
  readonly checkSettings: CheckValue;
  /** Why it cannot start as it was found. */
  readonly problem: AppError | undefined;
  readonly installed: InstalledPlugin;
}

/** A capability, its owner, and its compiled schemas. */
export interface CapabilityRoute {
  readonly capability: Capability;
  readonly pluginId: string;
  readonly checkInput: CheckValue;
  readonly checkOutput: CheckValue;
  readonly checkResult: CheckValue | undefined;
}

export interface Registry {
  readonly plugins: ReadonlyMap<string, KnownPlugin>;
  /** Throws NOT_FOUND, naming close ones. */
  plugin(id: string): KnownPlugin;
  /** Throws NOT_FOUND, naming close ones. */
  route(capability: string): CapabilityRoute;
  /**
   * The plugin as it is found now, which is not known until it is adopted. Throws INVALID_MANIFEST for one that
   * cannot be used or has another id, CONFLICT for one with a capability of another plugin.
   */
  reread(id: string): Promise<KnownPlugin>;
  /** Puts a plugin in the place of the one that had its id; throws CONFLICT when a capability was taken meanwhile. */
  adopt(known: KnownPlugin): void;
}

/** Reads all manifests. Our own come first: no stranger takes a capability or an id from them. */
export function createRegistry(
  installed: readonly InstalledPlugin[],
  { now }: { /** Monotonic, ms. */ now: () => number },
): Registry {
  const plugins = new Map<string, KnownPlugin>();
  const routes = new Map<string, CapabilityRoute>();
  const ordered = [
    ...installed.filter(({ origin }) => origin === "builtin"),
    ...installed.filter(({ origin }) => origin === "external"),
  ];
  for (const plugin of ordered) {
    const known = readPlugin(plugin, plugins, routes, now);
    plugins.set(known.id, known);
    for (const route of known.routes) routes.set(route.capability.id, route);
  }

  function find(id: string): KnownPlugin {
    const known = plugins.get(id);
    if (known === undefined) throw notFound("plugin", id, [...plugins.keys()]);
    return known;
  }

  return {
    plugins,
    plugin: find,
    route(capability) {
      const route = routes.get(capability);
      if (route === undefined) throw notFound("capability", capability, [...routes.keys()]);
      return route;
    },
    async reread(id) {
      const old = find(id).installed;
      const installed = await old.reread?.() ?? old;
      const known = find(id);
      // Equal schemas are not compiled again, and calls that wait are not checked again.
      if (known.problem === undefined && isSame(known.installed.manifest, installed.manifest)) {
        return { ...known, installed };
      }
      if (installed.manifest instanceof Error) {
        throw toAppError(installed.manifest, "INVALID_MANIFEST");
      }
      const manifest = parseManifest(installed.manifest);
      if (manifest.id !== id) {
        throw new AppError(
          plugins.has(manifest.id) ? "CONFLICT" : "INVALID_MANIFEST",
          `plugin.json says the id "${manifest.id}", but the plugin is known as "${id}"`,
        );
      }
      return { ...compilePlugin(manifest, routes, now), origin: known.origin, installed };
    },
    adopt(known) {
      for (const { capability } of known.routes) refuseOwned(capability.id, known.id, routes);
      for (const { capability } of find(known.id).routes) routes.delete(capability.id);
      for (const route of known.routes) routes.set(route.capability.id, route);
      plugins.set(known.id, known);
    },
  };
}

/** Time that compiling one plugin's schemas may take, ms. */
const maxCompileMs = 1000;

function readPlugin(
  installed: InstalledPlugin,
  plugins: ReadonlyMap<string, KnownPlugin>,
  owners: ReadonlyMap<string, CapabilityRoute>,
  now: () => number,
): KnownPlugin {
  const { origin } = installed;
  let manifest = placeholder(installed);
  const refuse = (error: unknown): KnownPlugin => ({
    installed,
    origin,
    manifest,
    id: freeId(manifest.id, plugins),
    routes: [],
    checkSettings: () => [],
    problem: toAppError(error, "INVALID_MANIFEST"),
  });
  try {
    if (installed.manifest instanceof Error) throw installed.manifest;
    manifest = parseManifest(installed.manifest);
    const { id } = manifest;
    if (plugins.has(id)) {
      throw new AppError("CONFLICT", `Another plugin has the id "${id}" already`);
    }
    return { ...compilePlugin(manifest, owners, now), origin, installed };
  } catch (error) {
    return refuse(error);
  }
}

function compilePlugin(
  manifest: Manifest,
  owners: ReadonlyMap<string, CapabilityRoute>,
  now: () => number,
): Omit<KnownPlugin, "origin" | "installed"> {
  const { id } = manifest;
  const startMs = now();
  const checkSettings = compileSchema(manifest.settings, `${id} settings`);
  const routes = manifest.capabilities.map((capability) => {
    refuseOwned(capability.id, id, owners);
    if (now() - startMs > maxCompileMs) {
      throw new AppError("INVALID_MANIFEST", "The schemas are too costly to compile");
    }
    return compileRoute(capability, id);
  });
  return { manifest, id, routes, checkSettings, problem: undefined };
}

/** Throws CONFLICT when a capability belongs to a plugin other than `pluginId`. */
function refuseOwned(
  capability: string,
  pluginId: string,
  owners: ReadonlyMap<string, CapabilityRoute>,
): void {
  const owner = owners.get(capability)?.pluginId;
  if (owner === undefined || owner === pluginId) return;
  throw new AppError(
    "CONFLICT",
    `Capability "${capability}" belongs to the plugin "${owner}": "${pluginId}" does not start until an administrator routes it`,
    { details: { capability, owner } },
  );
}

function isSame(manifest: unknown, other: unknown): boolean {
  return !(other instanceof Error) && JSON.stringify(manifest) === JSON.stringify(other);
}

function compileRoute(capability: Capability, pluginId: string): CapabilityRoute {
  const { id, inputSchema, outputSchema, resultSchema } = capability;
  return {
    capability,
    pluginId,
    checkInput: compileSchema(inputSchema, `${id} input`),
    checkOutput: compileSchema(outputSchema, `${id} output`),
    checkResult: resultSchema === undefined
      ? undefined
      : compileSchema(resultSchema, `${id} result`),
  };
}

/** What stands in the list for a plugin whose manifest says nothing that can be used. */
function placeholder({ source, manifest }: InstalledPlugin): Manifest {
  const { id } = (manifest ?? {}) as { id?: unknown };
  const claimed = pluginId.safeParse(id);
  const name = toPlainText(source, 100);
  return {
    contract: contractVersion,
    id: claimed.success ? claimed.data : sourceId(source),
    name,
    version: "0.0.0",
    description: "",
    author: "",
    license: "",
    capabilities: [],
    permissions: noPermissions,
    limits: limitsSchema.parse({}),
    settings: {},
    metrics: [],
    browser: false,
    engines: [],
  };
}

function sourceId(source: string): string {
  const words = source.toLowerCase().slice(0, 50).split(/[^a-z0-9]+/).filter((word) => word !== "");
  const id = words.join("-");
  return /^[a-z]/.test(id) ? id : id === "" ? "plugin" : `plugin-${id}`;
}

function freeId(id: string, plugins: ReadonlyMap<string, KnownPlugin>): string {
  let free = id;
  for (let count = 2; plugins.has(free); count++) free = `${id}-${count}`;
  return free;
}

function notFound(kind: string, name: string, known: readonly string[]): AppError {
  const close = closeNames(name, known);
  const hint = close.length === 0 ? "" : `: did you mean "${close.join('" or "')}"?`;
  return new AppError("NOT_FOUND", `No ${kind} "${name.slice(0, 100)}"${hint}`, {
    details: { [kind]: name.slice(0, 100), close },
  });
}
