// The pages and their addresses, each loaded when it is first shown. Addresses are relative to <base>, so that the
// server may live under a prefix: links are written href="plugins", href=${pluginPath(id)}.

import { html, type TemplateResult } from "lit";
import { may, type Scoped } from "./api/scopes.ts";

export interface Page {
  /** A URLPattern's pathname, relative to <base>. */
  path: string;
  /** For the document's title until the page names itself. */
  title: string;
  /** What it needs; who lacks it is told so in its place. */
  scope?: string;
  load(): Promise<unknown>;
  render(params: Record<string, string | undefined>): TemplateResult;
}

const home = "dashboard";

export const pages: readonly Page[] = [
  {
    path: "dashboard",
    title: "Dashboard",
    scope: "plugins:read",
    load: () => import("./pages/bkg-dashboard.ts"),
    render: () => html`<bkg-dashboard></bkg-dashboard>`,
  },
  {
    path: "chats",
    title: "Chats",
    load: () => import("./pages/bkg-chats.ts"),
    render: () => html`<bkg-chats></bkg-chats>`,
  },
  {
    path: "plugins",
    title: "Plugins",
    scope: "plugins:read",
    load: () => import("./pages/bkg-plugins.ts"),
    render: () => html`<bkg-plugins></bkg-plugins>`,
  },
  {
    path: "plugins/:id",
    title: "Plugin",
    scope: "plugins:read",
    load: () => import("./pages/bkg-plugin.ts"),
    render: ({ id = "" }) => html`<bkg-plugin .pluginId=${decode(id)}></bkg-plugin>`,
  },
  {
    path: "models",
    title: "Models",
    scope: "models:read",
    load: () => import("./pages/bkg-models.ts"),
    render: () => html`<bkg-models></bkg-models>`,
  },
  {
    path: "welcome",
    title: "Welcome",
    scope: "models:read",
    load: () => import("./pages/bkg-welcome.ts"),
    render: () => html`<bkg-welcome></bkg-welcome>`,
  },
  {
    path: "api-keys",
    title: "API keys",
    scope: "account",
    load: () => import("./pages/bkg-api-keys.ts"),
    render: () => html`<bkg-api-keys></bkg-api-keys>`,
  },
  {
    path: "account",
    title: "Account",
    scope: "account",
    load: () => import("./pages/bkg-account.ts"),
    render: () => html`<bkg-account></bkg-account>`,
  },
  {
    path: "users",
    title: "Users",
    scope: "users:manage",
    load: () => import("./pages/bkg-users.ts"),
    render: () => html`<bkg-users></bkg-users>`,
  },
  {
    path: "audit",
    title: "Audit",
    scope: "audit:read",
    load: () => import("./pages/bkg-audit.ts"),
    render: () => html`<bkg-audit></bkg-audit>`,
  },
  {
    path: "settings",
    title: "Settings",
    scope: "settings:manage",
    load: () => import("./pages/bkg-settings.ts"),
    render: () => html`<bkg-settings></bkg-settings>`,
  },
];

export const signInPage: Page = {
  path: "sign-in",
  title: "Sign in",
  load: () => import("./pages/bkg-sign-in.ts"),
  render: () => html`<bkg-sign-in></bkg-sign-in>`,
};

export const notFoundPage: Page = {
  path: "*",
  title: "Not found",
  load: () => import("./pages/bkg-not-found.ts"),
  render: () => html`<bkg-not-found></bkg-not-found>`,
};

export interface Destination {
  path: string;
  label: string;
  icon: string;
}

/** What the navigation shows, in this order, to those who may see it. */
const destinations: readonly Destination[] = [
  { path: "dashboard", label: "Dashboard", icon: "dashboard" },
  { path: "chats", label: "Chats", icon: "message" },
  { path: "models", label: "Models", icon: "box" },
  { path: "plugins", label: "Plugins", icon: "plug" },
];

/** Less often needed: below the others, on a phone in the person's menu. */
const furtherDestinations: readonly Destination[] = [
  { path: "api-keys", label: "API keys", icon: "key" },
  { path: "users", label: "Users", icon: "users" },
  { path: "audit", label: "Audit", icon: "logs" },
  { path: "settings", label: "Settings", icon: "settings" },
];

export function navigationFor(
  person: Scoped | undefined,
): { main: readonly Destination[]; further: readonly Destination[] } {
  return {
    main: destinations.filter(({ path }) => mayOpen(person, path)),
    further: furtherDestinations.filter(({ path }) => mayOpen(person, path)),
  };
}

/** Where one begins: the first page that one may see. */
export function homeFor(person: Scoped | undefined): string {
  return navigationFor(person).main[0]?.path ?? home;
}

/** The right that the page needs and the person lacks; undefined while nothing is known of the person's. */
export function missingScope(page: Page, person: Scoped | undefined): string | undefined {
  if (page.scope === undefined || person?.scopes === undefined) return undefined;
  return may(person, page.scope) ? undefined : page.scope;
}

/** Whether the page at `path` is for this person, as far as that is known. */
export function mayOpen(person: Scoped | undefined, path: string): boolean {
  const page = pages.find((page) => page.path === path);
  return page !== undefined && missingScope(page, person) === undefined;
}

/** The path of <base>, with its slash at the end. */
export function basePath(): string {
  return new URL(".", document.baseURI).pathname;
}

/** The address of a plugin's page, relative to <base>. */
export function pluginPath(pluginId: string): string {
  return `plugins/${encodeURIComponent(pluginId)}`;
}

/** Goes to `path`, relative to <base>, as a click on a link would. */
export function navigate(path: string, options: { replace?: boolean } = {}): void {
  const url = new URL(path, document.baseURI);
  if (options.replace === true) history.replaceState({}, "", url);
  else history.pushState({}, "", url);
  // What @lit-labs/router listens to; it has no call of its own for this.
  dispatchEvent(new PopStateEvent("popstate"));
}

/** An address that no encoder made is shown as it is. */
function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
