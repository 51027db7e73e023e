// /audit: who did what to which object, newest first. Older entries come as one scrolls; newer ones are announced, and
// shown when they are asked for, so that nothing that is read moves.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import "@awesome.me/webawesome/dist/components/button/button.js";
import { type AuditEntry, type AuditFilter, downloadAudit, listAudit } from "../api/audit.ts";
import { may } from "../api/scopes.ts";
import { listUsers } from "../api/users.ts";
import { type App, appContext } from "../app.ts";
import "../components/bkg-audit-filter.ts";
import type { BkgAuditFilter, Person } from "../components/bkg-audit-filter.ts";
import "../components/bkg-empty-state.ts";
import "../components/bkg-error-notice.ts";
import "../components/bkg-page-header.ts";
import { dataTableStyles } from "../components/data_table_styles.ts";
import { capText, formatCount, formatPlural } from "../components/format.ts";
import "../components/icons.ts";
import { saveFile } from "../components/save_file.ts";
import { pastTime } from "../components/time_words.ts";
import { PagedList } from "../controllers/paged_list.ts";
import { sharedStyles } from "../theme/shared_styles.ts";

@customElement("bkg-audit")
export class BkgAudit extends LitElement {
  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  @state()
  private accessor people: readonly Person[] = [];
  @state()
  private accessor hasNewer = false;
  @state()
  private accessor downloading = false;
  @state()
  private accessor failure: unknown;
  @query(".more")
  private accessor end!: HTMLElement | null;
  @query("bkg-audit-filter")
  private accessor filters!: BkgAuditFilter | null;

  #filter: AuditFilter = everything;
  readonly #entries = new PagedList<AuditEntry>(
    this,
    (request) => listAudit(this.app.api, { ...request, filter: this.#filter }),
  );
  readonly #reached = new IntersectionObserver((seen) => {
    // After a failure a person tries again, and not the scroll.
    if (seen.some(({ isIntersecting }) => isIntersecting) && this.#entries.error === undefined) {
      void this.#entries.more();
    }
  }, { rootMargin: "400px" });
  #timer: ReturnType<typeof setInterval> | undefined;

  static override styles = [
    sharedStyles,
    dataTableStyles,
    css`
      .is-when {
        width: 9.5rem;
      }
      .is-who {
        width: 11rem;
      }
      .is-result {
        width: 7rem;
      }
      .is-from {
        width: 9.5rem;
      }
      .newer {
        display: flex;
        align-items: center;
        justify-content: space-between;
        gap: var(--wa-space-s);
        min-height: 2.25rem;
      }
      /* Shows only those that have the same. */
      .same {
        display: inline;
        min-height: 1.5rem;
        padding: 0;
        border: 0;
        border-radius: var(--wa-border-radius-s);
        background: none;
        color: inherit;
        font: inherit;
        text-align: start;
        overflow-wrap: anywhere;
        cursor: pointer;
      }
      .same:hover {
        text-decoration: underline;
        text-underline-offset: 0.2em;
      }
    `,
  ];

  override connectedCallback(): void {
    super.connectedCallback();
    this.#timer = setInterval(() => void this.#look(), lookEveryMs);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearInterval(this.#timer);
    this.#reached.disconnect();
  }

  override firstUpdated(): void {
    void this.#entries.reload();
    void this.#findPeople();
  }

  override updated(): void {
    // Observed anew after each page: what is still in sight asks for the next one.
    this.#reached.disconnect();
    if (this.end !== null && this.#entries.hasMore && !this.#entries.loading) {
      this.#reached.observe(this.end);
    }
  }

  override render() {
    const { items, error, loading } = this.#entries;
    return html`
      <div class="page">
        <bkg-page-header heading="Audit" lead="Who did what to which object on this server.">
          <wa-button
            appearance="outlined" ?loading=${this.downloading} ?disabled=${items === undefined}
            @click=${() => void this.#download()}
          ><wa-icon slot="start" name="download"></wa-icon>Download CSV</wa-button>
        </bkg-page-header>
        <div class="stack">
          <bkg-audit-filter
            .people=${this.#choosable()} .actions=${actionsOf(items ?? [])}
            @bkg-filter=${({ detail }: CustomEvent<AuditFilter>) => {
              this.#filter = detail;
              this.#show();
            }}
          ></bkg-audit-filter>
          <div class="newer">
            <span class="quiet small" role="status">${this.#words(items)}</span>
            <wa-button
              size="s" appearance=${this.hasNewer ? "accent" : "outlined"}
              variant=${this.hasNewer ? "brand" : "neutral"} ?loading=${loading &&
                items !== undefined}
              @click=${() => this.#show()}
            ><wa-icon slot="start" name="refresh"></wa-icon>${this.hasNewer
              ? "Show newer entries"
              : "Refresh"}</wa-button>
          </div>
          <bkg-error-notice
            heading="The file could not be made" .error=${this.failure}
            .dismiss=${() => this.failure = undefined}
          ></bkg-error-notice>
          ${items !== undefined
            ? this.#table(items)
            : error === undefined
            ? html`<div class="skeleton wait" role="status" aria-label="Loading the audit"></div>`
            : nothing}
          <bkg-error-notice
            heading=${items === undefined
              ? "The audit could not be loaded"
              : "Further entries could not be loaded"}
            .error=${error}
            .retry=${() =>
              void (items === undefined ? this.#entries.reload() : this.#entries.more())}
          ></bkg-error-notice>
          ${this.#entries.hasMore
            ? html`
              <div class="more">
                <wa-button
                  appearance="outlined" size="s" ?loading=${loading}
                  @click=${() => void this.#entries.more()}
                >Show older entries</wa-button>
              </div>
            `
            : nothing}
        </div>
      </div>
    `;
  }

  #table(entries: readonly AuditEntry[]) {
    if (entries.length === 0) {
      return html`
        <div class="card">
          <bkg-empty-state
            icon="search" heading="No entries"
            text="Nothing that fits was noted. Choose a longer time, or leave out a filter."
          ></bkg-empty-state>
        </div>
      `;
    }
    const nowMs = Date.now();
    return html`
      <div class="card table">
        <table role="table" aria-label="Audit, newest first">
          <thead role="rowgroup">
            <tr role="row">
              <th role="columnheader" scope="col" class="is-when">When</th>
              <th role="columnheader" scope="col" class="is-who">Who</th>
              <th role="columnheader" scope="col">What</th>
              <th role="columnheader" scope="col">To what</th>
              <th role="columnheader" scope="col" class="is-result">Result</th>
              <th role="columnheader" scope="col" class="is-from">From</th>
            </tr>
          </thead>
          <tbody role="rowgroup">
            ${repeat(entries, ({ id }) => id, (entry) => this.#row(entry, nowMs))}
          </tbody>
        </table>
      </div>
    `;
  }

  #row(entry: AuditEntry, nowMs: number) {
    const { kind, word } = outcomeWords[entry.outcome] ?? { kind: "", word: entry.outcome };
    const object = capText(entry.object, 120);
    return html`
      <tr role="row">
        <td role="cell" class="number" data-label="When">${pastTime(entry.atMs, { nowMs })}</td>
        <td role="cell" data-label="Who">
          ${entry.principal === "" ? "nobody" : this.#same(whoOf(entry), {
            principal: entry.principal,
          })}
          ${entry.credential === "" || entry.credential === entry.principal
            ? nothing
            : html`<small class="isolate">${capText(entry.credential, 100)}</small>`}
        </td>
        <td role="cell" data-label="What">
          <code>${this.#same(capText(entry.action, 200), { action: entry.action })}</code>
          ${entry.count > 1
            ? html`<span class="tag number">× ${formatCount(entry.count)}</span>`
            : nothing}
          ${entry.pluginId === ""
            ? nothing
            : html`<small>plugin ${capText(entry.pluginId, 100)}</small>`}
        </td>
        <td role="cell" data-label="To what">
          <span title=${capText(entry.object, 1000)}>${object === ""
            ? "–"
            : this.#same(object, { object: entry.object })}</span>
        </td>
        <td role="cell" data-label="Result">
          <span class="dot ${kind}">${capText(word, 40)}</span>
        </td>
        <td role="cell" class="number" data-label="From">${capText(entry.address, 60) || "–"}</td>
      </tr>
    `;
  }

  #same(text: string, part: Parameters<BkgAuditFilter["choose"]>[0]) {
    return html`
      <button
        type="button" class="same isolate" dir="auto" @click=${() => this.filters?.choose(part)}
      >${text}<span class="visually-hidden"> (show only this)</span></button>
    `;
  }

  #words(items: readonly AuditEntry[] | undefined): string {
    if (items === undefined) return "";
    const count = formatPlural(items.length, "entr").replace(
      /entrs?$/,
      items.length === 1 ? "entry" : "entries",
    );
    return `${count}${this.#entries.hasMore ? ", and older ones" : ""}${
      this.hasNewer ? "; newer ones are there" : ""
    }`;
  }

  /** From those that are known and those that were seen. */
  #choosable(): readonly Person[] {
    const known = new Map(this.people.map((person) => [person.id, person]));
    for (const entry of this.#entries.items ?? []) {
      const { principal: id } = entry;
      if (id !== "" && !known.has(id)) known.set(id, { id, name: whoOf(entry) });
    }
    return [...known.values()].sort((one, other) => one.name.localeCompare(other.name));
  }

  #show(): void {
    this.hasNewer = false;
    void this.#entries.reload();
  }

  /** Whether there is something newer than what is shown. */
  async #look(): Promise<void> {
    const [first] = this.#entries.items ?? [];
    if (first === undefined || this.hasNewer || document.visibilityState !== "visible") return;
    try {
      const { signal } = new AbortController();
      const filter = this.#filter;
      const { items } = await listAudit(this.app.api, {
        filter,
        limit: 1,
        after: undefined,
        signal,
      });
      const [newest] = items;
      this.hasNewer = filter === this.#filter && newest !== undefined &&
        Number(newest.id) > Number(this.#entries.items?.[0]?.id);
    } catch {
      // The next look tells.
    }
  }

  async #findPeople(): Promise<void> {
    if (!may(this.app.session.principal, "users:manage")) return;
    try {
      const { signal } = new AbortController();
      const { items } = await listUsers(this.app.api, { query: "", after: undefined, signal });
      this.people = items.map(({ id, name }) => ({ id, name }));
    } catch {
      // Those who are seen can still be chosen.
    }
  }

  async #download(): Promise<void> {
    if (this.downloading) return;
    this.downloading = true;
    this.failure = undefined;
    try {
      const blob = await downloadAudit(this.app.api, this.#filter);
      saveFile({ name: `bkg-audit-${new Date().toISOString().slice(0, 10)}.csv`, blob });
    } catch (error) {
      this.failure = error;
    } finally {
      this.downloading = false;
    }
  }
}

const everything: AuditFilter = {
  principal: "",
  action: "",
  object: "",
  pluginId: "",
  from: undefined,
  to: undefined,
};

const lookEveryMs = 15_000;

const outcomeWords: Readonly<Record<string, { kind: string; word: string }>> = {
  ok: { kind: "good", word: "Done" },
  denied: { kind: "bad", word: "Denied" },
  failed: { kind: "bad", word: "Failed" },
  cancelled: { kind: "", word: "Cancelled" },
};

function whoOf({ principal, principalName }: AuditEntry): string {
  return capText(principalName || principal || "nobody", 100);
}

function actionsOf(entries: readonly AuditEntry[]): string[] {
  return [...new Set(entries.map(({ action }) => capText(action, 200)))].sort().slice(0, 100);
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-audit": BkgAudit;
  }
}
