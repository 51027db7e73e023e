// Scopes as chips, the first few and how many more. Styles: data_table_styles.ts.

import { html, nothing, type TemplateResult } from "lit";
import { capText } from "./format.ts";
import { describeScope } from "./scope_words.ts";

export function scopeChips(scopes: readonly string[], maxShown = 3): TemplateResult {
  if (scopes.length === 0) return html`<span class="quiet">nothing</span>`;
  const shown = scopes.slice(0, maxShown);
  const rest = scopes.slice(maxShown);
  return html`
    <span class="chips">
      ${shown.map((scope) =>
        html`<span class="tag isolate" title=${describeScope(scope)}>${
          scope === "*" ? "everything" : capText(scope, 60)
        }</span>`
      )}
      ${rest.length === 0
        ? nothing
        : html`<span class="tag" title=${
          rest.slice(0, 30).map((scope) => capText(scope, 60)).join("\n")
        }>+${rest.length}</span>`}
    </span>
  `;
}
