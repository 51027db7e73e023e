// The pages and their addresses, each loaded when it is first shown. Addresses are relative to <base>, so that the
// server may live under a prefix: links are written href="plugins", href=${pluginPath(id)}.

import { html, type TemplateResult } from "lit";

export interface Page {
  /** A URLPattern's pathname, relative to <base>. */
  path: string;
  /** For the document's title until the page names itself. */
  title: string;
  load(): Promise<unknown>;
  render(params: Record<string, string | undefined>): TemplateResult;
}

export const home = "dashboard";

export const pages: readonly Page[] = [
  {
    path: "dashboard",
    title: "Dashboard",
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
    load: () => import("./pages/bkg-plugins.ts"),
    render: () => html`<bkg-plugins></bkg-plugins>`,
  },
  {
    path: "plugins/:id",
    title: "Plugin",
    load: () => import("./pages/bkg-plugin.ts"),
    render: ({ id = "" }) => html`<bkg-plugin .pluginId=${decode(id)}></bkg-plugin>`,
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

/** What the navigation shows, in this order. */
export const navigation = [
  { path: "dashboard", label: "Dashboard", icon: "dashboard" },
  { path: "chats", label: "Chats", icon: "message" },
  { path: "plugins", label: "Plugins", icon: "plug" },
] as const;

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
