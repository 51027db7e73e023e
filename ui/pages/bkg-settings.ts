// /settings: what holds for the whole server, in groups that are saved one by one.

import { consume } from "@lit/context";
import { css, html, LitElement, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import { listSettings, type Settings, type SettingView } from "../api/settings.ts";
import { type App, appContext } from "../app.ts";
import "../components/bkg-error-notice.ts";
import "../components/bkg-page-header.ts";
import "../components/bkg-setting-group.ts";
import { backupsTitle, groupSettings } from "../components/setting_groups.ts";
import { sameJson } from "../components/form_values.ts";
import { pastTime } from "../components/time_words.ts";
import { sharedStyles } from "../theme/shared_styles.ts";

@customElement("bkg-settings")
export class BkgSettings extends LitElement {
  @consume({ context: appContext })
  @state()
  private accessor app!: App;
  @state()
  private accessor settings: readonly SettingView[] | undefined;
  @state()
  private accessor backups: Settings["backups"];
  @state()
  private accessor error: unknown;

  static override styles = [
    sharedStyles,
    css`
      .wait {
        height: 16rem;
      }
    `,
  ];

  override firstUpdated(): void {
    void this.#load();
  }

  override render() {
    const { settings, error } = this;
    return html`
      <div class="page">
        <bkg-page-header
          heading="Settings"
          lead="What holds for the whole server. The server's environment wins over what is set here."
        ></bkg-page-header>
        <bkg-error-notice
          heading="The settings could not be loaded" .error=${error}
          .retry=${() => void this.#load()}
        ></bkg-error-notice>
        ${settings === undefined
          ? (error === undefined
            ? html`
              <div class="skeleton wait" role="status" aria-label="Loading the settings"></div>
              <div class="skeleton wait" aria-hidden="true"></div>
            `
            : nothing)
          : repeat(groupSettings(settings), ({ title }) => title, (group) =>
            html`
              <bkg-setting-group
                heading=${group.title} .settings=${group.settings}
                @bkg-saved=${({ detail }: CustomEvent<Settings>) => this.#take(detail)}
              >${group.title === backupsTitle ? this.#backups() : nothing}</bkg-setting-group>
            `)}
      </div>
    `;
  }

  #backups() {
    const { lastAtMs, failure } = this.backups ?? {};
    if (failure !== undefined) {
      return html`
        <bkg-error-notice
          heading="The last backup failed"
          .error=${{ code: "INTERNAL", message: failure.message }}
        ><span class="quiet small">Tried ${pastTime(failure.atMs)}; the last good one: ${pastTime(
          lastAtMs ?? null,
          { never: "none" },
        )}</span></bkg-error-notice>
      `;
    }
    return html`<p class="quiet small">Last backup: ${
      pastTime(lastAtMs ?? null, { never: "none yet" })
    }</p>`;
  }

  async #load(): Promise<void> {
    this.error = undefined;
    try {
      this.#take(await listSettings(this.app.api));
    } catch (error) {
      this.error = error;
    }
  }

  /** What is the same stays the same object: what was typed into its form stays with it. */
  #take({ settings, backups }: Settings): void {
    this.backups = backups;
    const before = new Map(this.settings?.map((setting) => [setting.name, setting]));
    this.settings = settings.map((setting) => {
      const known = before.get(setting.name);
      return known !== undefined && sameJson(known, setting) ? known : setting;
    });
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-settings": BkgSettings;
  }
}
