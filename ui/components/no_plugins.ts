// What stands where plugins would be listed, when there is none. Callers: the dashboard, the plugins page.

import { html } from "lit";
import "./bkg-empty-state.ts";

export function noPlugins() {
  return html`
    <div class="card">
      <bkg-empty-state
        icon="plug"
        heading="No plugins"
        text="Name the folders of plugins in BKG_PLUGIN_PATHS when you start the server; each has a plugin.json and a bundle."
      ></bkg-empty-state>
    </div>
  `;
}
