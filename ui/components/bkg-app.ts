// The shell: navigation, the page of the address, who is signed in. main.ts sets `app`, once.
// Who is not signed in sees the sign-in page at the address that was asked for, and then that page.

import { provide } from "@lit/context";
import { Router } from "@lit-labs/router";
import { html, LitElement, nothing, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { type App, appContext } from "../app.ts";
import {
  basePath,
  homeFor,
  missingScope,
  navigate,
  notFoundPage,
  type Page,
  pages,
  signInPage,
} from "../routes.ts";
import { isWelcomeDue } from "../stores/welcome.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import { appStyles } from "./app_styles.ts";
import "./bkg-connection-notice.ts";
import "./bkg-error-notice.ts";
import "./bkg-forbidden.ts";
import "./bkg-navigation.ts";
import { nameDocument } from "./bkg-page-header.ts";

@customElement("bkg-app")
export class BkgApp extends LitElement {
  @provide({ context: appContext })
  @property({ attribute: false })
  accessor app!: App;
  /** The page that is shown. */
  @state()
  private accessor page: Page | undefined;
  @state()
  private accessor loading = false;
  /** Why a page's script did not load. */
  @state()
  private accessor failure: unknown;

  static override styles = [sharedStyles, appStyles];

  readonly #router: Router;
  /** Counts navigations: what a slow one brings is dropped when another one began. */
  #turn = 0;
  #signedIn = false;
  /** Whether the page comes from the browser's "back": then the scroll position is the browser's. */
  #wentBack = false;
  #stopFollowing = () => {};

  constructor() {
    super();
    // Before the router's own listener, which starts the navigation.
    addEventListener("popstate", (event) => this.#wentBack = event.isTrusted);
    const base = basePath();
    this.#router = new Router(this, [
      { path: base, enter: () => this.#redirectHome() },
      {
        path: `${base}${signInPage.path}`,
        enter: () => this.#signedIn ? this.#redirectHome() : false,
      },
      ...pages.map((page) => ({
        path: `${base}${page.path}{/}?`,
        render: (params: Record<string, string | undefined>) => page.render(params),
        enter: () => this.#enter(page),
      })),
    ], {
      fallback: {
        render: () => notFoundPage.render({}),
        enter: () => this.#enter(notFoundPage),
      },
    });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stopFollowing();
  }

  override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("app") || this.app === undefined) return;
    this.#stopFollowing();
    this.#stopFollowing = this.app.session.subscribe(() => this.#follow());
    this.#follow();
  }

  override render() {
    if (this.app === undefined) return nothing;
    if (!this.#signedIn) {
      if (this.failure !== undefined) return this.#failed();
      return this.page === signInPage ? signInPage.render({}) : nothing;
    }
    return html`
      <button class="skip" @click=${this.#skip}>Skip to content</button>
      <bkg-navigation .current=${this.page?.path ?? ""}></bkg-navigation>
      <main tabindex="-1" aria-busy=${this.loading}>
        ${this.loading ? html`<div class="loading" aria-hidden="true"></div>` : nothing}
        ${this.failure === undefined ? this.#content() : this.#failed()}
      </main>
      <bkg-connection-notice></bkg-connection-notice>
    `;
  }

  /** The page, unless it is not for this person: the session tells, also while the page is shown. */
  #content() {
    const { page } = this;
    const scope = page && missingScope(page, this.app.session.principal);
    return page === undefined || scope === undefined
      ? this.#router.outlet()
      : html`<bkg-forbidden heading=${page.title} scope=${scope}></bkg-forbidden>`;
  }

  #failed() {
    return html`
      <div class="page">
        <bkg-page-header heading=${this.page?.title ?? "bkg"}></bkg-page-header>
        <bkg-error-notice
          heading="This page did not load"
          .error=${this.failure}
          .retry=${() => location.reload()}
          retry-label="Reload"
        ></bkg-error-notice>
      </div>
    `;
  }

  /** Shows the sign-in page or the asked page when that changed. */
  #follow(): void {
    const { token, invitation } = this.app.session;
    const signedIn = token !== undefined && invitation === undefined;
    const first = this.page === undefined && this.failure === undefined && !this.loading;
    if (signedIn === this.#signedIn && !first) return this.requestUpdate();
    this.#signedIn = signedIn;
    this.page = undefined;
    if (signedIn) void this.#router.goto(location.pathname);
    else void this.#enter(signInPage);
  }

  #redirectHome(): false {
    if (this.#signedIn) void this.#goHome();
    return false;
  }

  /** To the dashboard; a newcomer to where a first model comes from. */
  async #goHome(): Promise<void> {
    const turn = ++this.#turn;
    this.loading = true;
    const due = await isWelcomeDue(this.app);
    if (turn !== this.#turn || !this.#signedIn) return;
    this.loading = false;
    navigate(due ? "welcome" : homeFor(this.app.session.principal), { replace: true });
  }

  /** Answers whether the router shall show `page`: not when it did not load, nor when another was asked for. */
  async #enter(page: Page): Promise<boolean> {
    if (!this.#signedIn && page !== signInPage) return false;
    const turn = ++this.#turn;
    const wentBack = this.#wentBack;
    this.#wentBack = false;
    this.loading = true;
    try {
      await page.load();
      if (turn !== this.#turn) return false;
      this.failure = undefined;
    } catch (cause) {
      if (turn !== this.#turn) return false;
      // The browser's own words name a file, which helps nobody.
      console.error(cause);
      this.failure = {
        code: "UNAVAILABLE",
        message:
          "A part of the page could not be loaded: the server is gone, or a new version is there",
      };
    }
    const first = this.page === undefined;
    this.loading = false;
    this.page = page;
    nameDocument(page.title);
    // The router shows the page after this has answered.
    if (!first) setTimeout(() => void this.#arrive({ keepScroll: wentBack }));
    return this.failure === undefined;
  }

  /** What a page change means to those who do not see it: the focus is on the new page's heading. */
  async #arrive({ keepScroll }: { keepScroll: boolean }): Promise<void> {
    await this.updateComplete;
    if (!keepScroll) scrollTo({ top: 0, behavior: "instant" });
    const main = this.renderRoot.querySelector("main");
    const page = main?.querySelector<LitElement>(":scope > :not(.loading)");
    await page?.updateComplete;
    const root = page?.shadowRoot ?? page;
    // A page that has put it somewhere itself knows better.
    if (page?.shadowRoot?.activeElement) return;
    const header = root?.querySelector("bkg-page-header");
    await header?.updateComplete;
    const heading = header ?? root?.querySelector<HTMLElement>("h1[tabindex]") ?? main;
    heading?.focus({ preventScroll: true });
  }

  #skip(): void {
    this.renderRoot.querySelector("main")?.focus();
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-app": BkgApp;
  }
}
