// What the operator has to look after: plugins in error, and those that wait for consent.
// Nothing is shown when there is nothing to do.

import { css, html, LitElement, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import type { PluginView } from "../../plugins/runtime/host/host.ts";
import { pluginPath } from "../routes.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import { capText } from "./format.ts";
import "./bkg-code-block.ts";
import "./bkg-error-notice.ts";
import "./bkg-plugin-controls.ts";
import "./icons.ts";

@customElement("bkg-attention")
export class BkgAttention extends LitElement {
  @property({ attribute: false })
  accessor plugins: readonly PluginView[] = [];
  /** What came of "Start", by plugin. */
  @state()
  private accessor failures: ReadonlyMap<string, unknown> = new Map();

  static override styles = [
    sharedStyles,
    css`
      ul {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: var(--bkg-gap-s);
        padding: 0;
        list-style: none;
      }
      li {
        display: grid;
        grid-template-columns: auto minmax(0, 1fr) auto;
        gap: var(--wa-space-2xs) var(--wa-space-s);
        padding: var(--wa-space-s) var(--wa-space-m);
        border: var(--wa-border-width-s) solid var(--border);
        border-radius: var(--bkg-card-radius);
        background: var(--fill);
      }
      .danger {
        --border: var(--wa-color-danger-border-normal);
        --fill: var(--wa-color-danger-fill-quiet);
        --icon: var(--wa-color-danger-on-quiet);
      }
      .warning {
        --border: var(--wa-color-warning-border-normal);
        --fill: var(--wa-color-warning-fill-quiet);
        --icon: var(--wa-color-warning-on-quiet);
      }
      li > wa-icon {
        margin-block-start: 0.2em;
        color: var(--icon);
      }
      .text {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: var(--wa-space-2xs);
      }
      .text p {
        font-size: var(--wa-font-size-s);
      }
      .message {
        display: -webkit-box;
        -webkit-box-orient: vertical;
        -webkit-line-clamp: 3;
        overflow: hidden;
      }
      strong {
        font-weight: var(--wa-font-weight-semibold);
      }
      a {
        border-radius: var(--wa-border-radius-s);
        color: inherit;
        text-decoration: underline;
      }
      bkg-code-block {
        max-width: 30rem;
      }
      @media (max-width: 30rem) {
        bkg-plugin-controls {
          grid-column: 2;
          justify-self: start;
        }
      }
    `,
  ];

  override render() {
    const failed = this.plugins.filter(({ status }) => status === "error");
    const waiting = this.plugins.filter((plugin) => plugin.enabled && plugin.needsConsent);
    if (failed.length === 0 && waiting.length === 0) return nothing;
    return html`
      <section class="stack" aria-labelledby="heading">
        <h2 id="heading">Needs attention</h2>
        <ul>
          ${failed.map((plugin) => this.#failed(plugin))}
          ${waiting.map((plugin) => this.#waiting(plugin))}
        </ul>
      </section>
    `;
  }

  #failed(plugin: PluginView) {
    const failure = this.failures.get(plugin.id);
    return html`
      <li class="danger">
        <wa-icon name="circle-alert"></wa-icon>
        <div class="text">
          <strong class="wrap">${this.#link(plugin)} has stopped with an error</strong>
          <p class="message wrap isolate" dir="auto">
            ${capText(plugin.lastError?.message ?? "It gave no reason; its log may tell more", 500)}
          </p>
          <bkg-error-notice heading="It did not start" .error=${failure}></bkg-error-notice>
        </div>
        <bkg-plugin-controls
          .plugin=${plugin}
          @bkg-failed=${({ detail }: CustomEvent<unknown>) => {
            this.failures = new Map(this.failures).set(plugin.id, detail);
          }}
        ></bkg-plugin-controls>
      </li>
    `;
  }

  #waiting(plugin: PluginView) {
    const isUpdate = plugin.status === "running";
    const shown = plugin.missingGrants.slice(0, 5).map((grant) => capText(grant, 80));
    const more = plugin.missingGrants.length - shown.length;
    return html`
      <li class="warning">
        <wa-icon name="shield-alert"></wa-icon>
        <div class="text">
          <strong class="wrap">
            ${this.#link(plugin)} ${isUpdate
              ? "has a newer version that waits for consent"
              : "waits for consent"}
          </strong>
          ${isUpdate
            ? html`<p>It asks for more than was allowed; the version that runs goes on.</p>`
            : html`<p class="wrap isolate" dir="auto">It asks for ${shown.join(", ")}${
              more > 0 ? ` and ${more} more` : ""
            }</p>`}
          <p><a href="${pluginPath(plugin.id)}#permissions">Decide on its page</a>, or run on the
            server:</p>
          <bkg-code-block label="Command" .code=${`bkg plugin grant ${plugin.id}`}></bkg-code-block>
        </div>
      </li>
    `;
  }

  #link(plugin: PluginView) {
    return html`<a href=${pluginPath(plugin.id)} class="isolate" dir="auto">${
      capText(plugin.name, 60)
    }</a>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-attention": BkgAttention;
  }
}
