// Where the person is signed in, this device marked; each can be signed out.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import { endSession, listSessions, type SessionView } from "../api/account.ts";
import { type App, appContext } from "../app.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-confirm.ts";
import type { Question } from "./bkg-confirm.ts";
import "./bkg-error-notice.ts";
import { describeClient } from "./client_words.ts";
import { capText } from "./format.ts";
import { exactTime, pastTime } from "./time_words.ts";
import "./icons.ts";

@customElement("bkg-session-list")
export class BkgSessionList extends LitElement {
  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  @state()
  private accessor sessions: readonly SessionView[] | undefined;
  @state()
  private accessor error: unknown;
  @state()
  private accessor question: Question | undefined;

  static override styles = [
    sharedStyles,
    css`
      ul {
        display: grid;
        padding: 0;
        list-style: none;
      }
      li {
        display: grid;
        grid-template-columns: auto minmax(0, 1fr) auto;
        gap: var(--wa-space-s);
        align-items: center;
        min-height: 3.5rem;
        padding-block: var(--wa-space-xs);
        border-block-end: var(--bkg-card-border);
      }
      li:last-child {
        border: 0;
        padding-block-end: 0;
      }
      .tag {
        vertical-align: middle;
      }
      li > wa-icon {
        color: var(--wa-color-text-quiet);
      }
      .wait {
        height: 8rem;
      }
    `,
  ];

  override firstUpdated(): void {
    void this.load();
  }

  override render() {
    const { sessions, error } = this;
    return html`
      <section class="card stack" aria-labelledby="sessions">
        <div>
          <h2 id="sessions">Signed in</h2>
          <p class="quiet small">Sign out what you do not know, and then change your password.</p>
        </div>
        <bkg-error-notice
          heading="The sessions could not be loaded" .error=${error} .retry=${() =>
            void this.load()}
        ></bkg-error-notice>
        ${sessions !== undefined
          ? html`<ul role="list">${
            repeat(sessions, ({ id }) => id, (session) => this.#item(session))
          }</ul>`
          : error === undefined
          ? html`<div class="skeleton wait" role="status" aria-label="Loading the sessions"></div>`
          : nothing}
      </section>
      <bkg-confirm
        .question=${this.question} @bkg-close=${() => this.question = undefined}
      ></bkg-confirm>
    `;
  }

  #item(session: SessionView) {
    const { client, address, createdAtMs, refreshedAtMs, expiresAtMs, current } = session;
    const words = describeClient(client);
    return html`
      <li>
        <wa-icon name="laptop"></wa-icon>
        <div>
          <strong class="small isolate wrap" dir="auto" title=${capText(
            client,
            200,
          )}>${words}</strong>
          ${current ? html`<span class="tag">this one</span>` : nothing}
          <p class="quiet small wrap">
            From ${capText(address, 60) || "an unknown address"}, signed in ${pastTime(
              createdAtMs,
            )},
            last seen ${pastTime(refreshedAtMs)}, until ${exactTime(expiresAtMs)}
          </p>
        </div>
        <wa-button size="s" appearance="outlined" @click=${() => this.#ask(session, words)}
        >Sign out<span class="visually-hidden"> ${words}, ${current
          ? "this one"
          : address}</span></wa-button>
      </li>
    `;
  }

  #ask({ id, current }: SessionView, words: string): void {
    this.question = {
      heading: current ? "Sign out here?" : `Sign out ${words}?`,
      text: current
        ? html`<p>You need your password, or a new link, to sign in again.</p>`
        : html`<p>It is signed out at once, and what it runs ends.</p>`,
      label: "Sign out",
      run: async () => {
        if (current) return await this.app.session.signOut();
        await endSession(this.app.api, id);
        this.sessions = this.sessions?.filter((session) => session.id !== id);
      },
    };
  }

  async load(): Promise<void> {
    this.error = undefined;
    try {
      const sessions = await listSessions(this.app.api);
      this.sessions = [...sessions].sort((one, other) =>
        Number(other.current) - Number(one.current) || other.refreshedAtMs - one.refreshedAtMs
      );
    } catch (error) {
      this.error = error;
    }
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-session-list": BkgSessionList;
  }
}
