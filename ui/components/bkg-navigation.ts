// The way to the pages, and the person's own menu: a column at the left, on a phone a bar at the bottom.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing, svg } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { type App, appContext } from "../app.ts";
import { StoreController } from "../controllers/store_controller.ts";
import { type Destination, homeFor, mayOpen, navigationFor } from "../routes.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import { capText } from "./format.ts";
import "./bkg-theme-switch.ts";
import "./icons.ts";

@customElement("bkg-navigation")
export class BkgNavigation extends LitElement {
  /** The path of the shown page, as in routes.ts. */
  @property()
  accessor current = "";
  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  @query("#menu")
  private accessor menu!: HTMLElement | null;

  static override styles = [
    sharedStyles,
    css`
      :host {
        position: sticky;
        top: 0;
        height: 100dvh;
        border-inline-end: var(--bkg-card-border);
        background: var(--bkg-nav-surface);
        z-index: 10;
      }
      nav {
        display: flex;
        flex-direction: column;
        gap: var(--wa-space-l);
        height: 100%;
        padding: var(--wa-space-m) var(--wa-space-s);
      }
      .brand {
        display: flex;
        align-items: center;
        gap: var(--wa-space-xs);
        padding: var(--wa-space-2xs) var(--wa-space-xs);
        border-radius: var(--wa-border-radius-m);
        color: var(--wa-color-text-normal);
        font-size: var(--wa-font-size-m);
        font-weight: var(--wa-font-weight-bold);
        letter-spacing: -0.02em;
        text-decoration: none;
      }
      .brand svg {
        width: 1.5rem;
        height: 1.5rem;
      }
      ul {
        display: grid;
        align-content: start;
        gap: 0.125rem;
        padding: 0;
        list-style: none;
      }
      .places {
        flex: 1;
        display: grid;
        align-content: start;
        gap: var(--wa-space-l);
        min-height: 0;
        overflow-y: auto;
        /* Room for the focus ring. */
        margin: -0.25rem;
        padding: 0.25rem;
      }
      .menu .further {
        display: none;
      }
      .item {
        display: flex;
        align-items: center;
        gap: var(--wa-space-xs);
        width: 100%;
        min-height: 2.25rem;
        padding: 0 var(--wa-space-xs);
        border: 0;
        border-radius: var(--wa-border-radius-m);
        background: none;
        color: var(--wa-color-text-quiet);
        font: inherit;
        font-weight: var(--wa-font-weight-semibold);
        text-align: start;
        text-decoration: none;
        cursor: pointer;
      }
      .item:hover {
        background: var(--bkg-hover);
        color: var(--wa-color-text-normal);
      }
      .item[aria-current] {
        background: var(--bkg-selected);
        color: var(--wa-color-text-normal);
      }
      .item[aria-current] wa-icon {
        color: var(--wa-color-brand-on-quiet);
      }
      .item .end {
        margin-inline-start: auto;
        font-size: 0.875em;
      }
      .menu {
        position: fixed;
        inset: auto auto calc(var(--wa-space-m) + 2.75rem) var(--wa-space-s);
        width: 17rem;
        max-height: calc(100dvh - 6rem);
        overflow-y: auto;
        margin: 0;
        padding: var(--wa-space-s);
        border: var(--bkg-card-border);
        border-radius: var(--bkg-card-radius);
        background: var(--wa-color-surface-raised);
        color: var(--wa-color-text-normal);
        box-shadow: var(--bkg-shadow-float);
      }
      .menu:popover-open {
        display: grid;
        gap: var(--wa-space-s);
      }
      .who {
        display: grid;
        padding-inline: var(--wa-space-xs);
      }
      .entries {
        display: grid;
        gap: 0.125rem;
      }
      hr {
        width: 100%;
        margin: 0;
        border: 0;
        border-block-start: var(--bkg-card-border);
      }
      @media (max-width: 48rem) {
        :host {
          position: fixed;
          inset: auto 0 0;
          height: var(--bkg-bottom-bar);
          border-inline-end: 0;
          border-block-start: var(--bkg-card-border);
        }
        nav {
          flex-direction: row;
          gap: 0;
          padding: 0 var(--wa-space-2xs) env(safe-area-inset-bottom, 0rem);
        }
        .brand {
          display: none;
        }
        .places {
          flex: 3;
          margin: 0;
          padding: 0;
          overflow: visible;
        }
        .main {
          grid-auto-flow: column;
          grid-auto-columns: minmax(0, 1fr);
        }
        .places .further {
          display: none;
        }
        .menu .further {
          display: grid;
        }
        .person {
          flex: 1;
          min-width: 0;
        }
        .item,
        .item:hover,
        .item[aria-current] {
          flex-direction: column;
          justify-content: center;
          gap: 0.125rem;
          height: 3.75rem;
          padding: 0;
          background: none;
          font-size: var(--wa-font-size-xs);
        }
        .item wa-icon {
          font-size: 1.25rem;
        }
        .item[aria-current] {
          color: var(--wa-color-brand-on-quiet);
        }
        .item .end {
          display: none;
        }
        .menu .item {
          flex-direction: row;
          justify-content: start;
          gap: var(--wa-space-xs);
          height: 2.75rem;
          padding: 0 var(--wa-space-xs);
          font-size: inherit;
        }
        .menu {
          inset: auto var(--wa-space-xs) calc(var(--bkg-bottom-bar) + var(--wa-space-xs)) auto;
        }
      }
    `,
  ];

  constructor() {
    super();
    new StoreController(this, () => [this.app.session]);
  }

  override render() {
    const { principal } = this.app.session;
    const name = capText(principal?.name ?? "you", 60);
    const { main, further } = navigationFor(principal);
    return html`
      <nav aria-label="Main">
        <a class="brand" href=${homeFor(
          principal,
        )} aria-label="bkg, home">${mark}<span>bkg</span></a>
        <div class="places">
          <ul class="main">${main.map((place) => this.#place(place))}</ul>
          ${further.length === 0 ? nothing : html`
            <ul class="further">${further.map((place) => this.#place(place))}</ul>
          `}
          </div>
        <div class="person">
          <button class="item" popovertarget="menu" aria-haspopup="true" title=${name}>
            <wa-icon name="circle-user"></wa-icon>
            <span class="clip isolate">${name}</span>
            <wa-icon class="end" name="chevron-up"></wa-icon>
          </button>
          <div id="menu" class="menu" popover aria-label="Account">
            <div class="who">
              <span class="quiet small">Signed in as</span>
              <strong class="clip isolate">${name}</strong>
            </div>
            <bkg-theme-switch></bkg-theme-switch>
            <hr>
            <div class="entries" @click=${this.#closeMenu}>
              <ul class="further">${further.map((place) => this.#place(place))}</ul>
              ${!mayOpen(principal, "account") ? nothing : html`
                <a
                  class="item" href="account" aria-current=${this.#currency("account")}
                ><wa-icon name="user"></wa-icon>Account</a>
              `}
              <a class="item" href="docs" target="_blank" rel="noopener">
                <wa-icon name="external-link"></wa-icon>API reference
              </a>
              <button class="item" @click=${() => this.app.session.signOut()}>
                <wa-icon name="sign-out"></wa-icon>Sign out
              </button>
            </div>
          </div>
        </div>
      </nav>
    `;
  }

  #place({ path, label, icon }: Destination) {
    return html`
      <li>
        <a class="item" href=${path} aria-current=${this.#currency(path)}>
          <wa-icon name=${icon}></wa-icon>${label}
        </a>
      </li>
    `;
  }

  #closeMenu(): void {
    this.menu?.hidePopover();
  }

  /** A page under another one, such as a plugin's, marks its section. */
  #currency(path: string): "page" | "true" | typeof nothing {
    if (this.current === path) return "page";
    return this.current.startsWith(`${path}/`) ? "true" : nothing;
  }
}

const mark = html`
  <svg viewBox="0 0 32 32" aria-hidden="true">
    ${svg`
      <rect width="32" height="32" rx="8" fill="#4f4bd8" />
      <g fill="none" stroke="#fff" stroke-width="2.5" stroke-linejoin="round">
        <path d="M16 5.5 25 10.6v10.8L16 26.5 7 21.4V10.6Z" />
        <path d="M7 10.6 16 16l9-5.4M16 16v10.5" />
      </g>
    `}
  </svg>
`;

declare global {
  interface HTMLElementTagNameMap {
    "bkg-navigation": BkgNavigation;
  }
}
