// System, light or dark: three radios that look like one control.

import { css, html, LitElement } from "lit";
import { customElement, state } from "lit/decorators.js";
import { sharedStyles } from "../theme/shared_styles.ts";
import { chooseTheme, readThemeChoice, type ThemeChoice } from "../theme/theme_choice.ts";
import { segmentedStyles } from "./segmented_styles.ts";
import "./icons.ts";

@customElement("bkg-theme-switch")
export class BkgThemeSwitch extends LitElement {
  @state()
  private accessor choice: ThemeChoice = readThemeChoice();

  static override styles = [
    sharedStyles,
    segmentedStyles,
    css`
      .segments {
        display: flex;
      }
      label {
        flex: 1;
      }
    `,
  ];

  override render() {
    return html`
      <fieldset class="segments">
        <legend class="visually-hidden">Theme</legend>
        ${options.map(({ choice, label, icon }) =>
          html`
            <label>
              <input
                type="radio"
                name="theme"
                .checked=${this.choice === choice}
                @change=${() => this.#choose(choice)}
              >
              <span><wa-icon name=${icon}></wa-icon>${label}</span>
            </label>
          `
        )}
      </fieldset>
    `;
  }

  #choose(choice: ThemeChoice): void {
    this.choice = choice;
    chooseTheme(choice);
  }
}

const options = [
  { choice: "system", label: "System", icon: "monitor" },
  { choice: "light", label: "Light", icon: "sun" },
  { choice: "dark", label: "Dark", icon: "moon" },
] as const;

declare global {
  interface HTMLElementTagNameMap {
    "bkg-theme-switch": BkgThemeSwitch;
  }
}
