// What is fixed about a plugin: where it comes from, which bundle runs, and how its limits are held.

import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { Enforcement } from "../../plugins/runtime/host/cell.ts";
import type { PluginView } from "../../plugins/runtime/host/host.ts";
import { sharedStyles } from "../theme/shared_styles.ts";
import "./bkg-copy-button.ts";
import { capText, formatBytes, formatDateTime, formatDuration, formatPlural } from "./format.ts";

@customElement("bkg-plugin-facts")
export class BkgPluginFacts extends LitElement {
  @property({ attribute: false })
  accessor plugin!: PluginView;

  static override styles = [
    sharedStyles,
    css`
      dl {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(min(100%, 15rem), 1fr));
        gap: var(--bkg-gap) var(--bkg-gap-l);
      }
      dt {
        color: var(--wa-color-text-quiet);
        font-size: var(--wa-font-size-s);
      }
      dd {
        font-variant-numeric: tabular-nums;
        overflow-wrap: anywhere;
      }
      .digest {
        display: inline-flex;
        align-items: center;
        min-height: 2rem;
      }
    `,
  ];

  override render() {
    const { plugin } = this;
    const { limits } = plugin;
    return html`
      <section class="card stack" aria-labelledby="facts">
        <h2 id="facts">About</h2>
        <dl>
          ${fact("Origin", plugin.origin === "builtin" ? "Part of bkg" : "From a third party")}
          ${fact("Author", capText(plugin.author, 100))}
          ${fact("License", capText(plugin.license, 100))}
          ${fact(
            "Bundle",
            plugin.bundleDigest === undefined ? "None runs" : digest(plugin.bundleDigest),
          )}
          ${fact(
            "Started",
            plugin.startedAtMs === undefined ? "" : formatDateTime(plugin.startedAtMs),
          )}
          ${fact(
            "Restarts",
            plugin.restarts === 0 ? "None" : formatPlural(plugin.restarts, "restart"),
          )}
          ${fact(
            "Health",
            plugin.healthy === undefined ? "" : plugin.healthy ? "Well" : "Not well",
          )}
          ${fact("Engines", plugin.engines.join(", "))}
          ${fact("Starts", plugin.autostart ? "With the server" : "With its first call")}
          ${fact(
            "Memory limit",
            `${formatBytes(limits.memoryMb * 1024 * 1024)}${held(memoryWords(plugin.enforcement))}`,
          )}
          ${fact(
            "CPU limit",
            `${coreWords(limits.cpuPercent)}${held(cpuWords(plugin.enforcement))}`,
          )}
          ${fact("Silence of a call", `at most ${formatDuration(limits.timeoutMs)}`)}
          ${fact("Calls", `${limits.concurrency} at once, ${limits.queue} may wait`)}
          ${fact(
            "Stops when idle",
            limits.idleTimeoutMs === 0 ? "Never" : `after ${formatDuration(limits.idleTimeoutMs)}`,
          )}
        </dl>
      </section>
    `;
  }
}

function fact(term: string, value: string | TemplateResult) {
  if (value === "") return nothing;
  return html`
    <div>
      <dt>${term}</dt>
      <dd class="isolate" dir="auto">${value}</dd>
    </div>
  `;
}

function coreWords(cpuPercent: number): string {
  return cpuPercent % 100 === 0
    ? formatPlural(cpuPercent / 100, "core")
    : `${cpuPercent}% of one core`;
}

function digest(bundleDigest: string) {
  const short = `${bundleDigest.slice(0, "sha256:".length + 12)}…`;
  return html`<span class="digest"><span class="mono" title=${bundleDigest}>${short}</span
    ><bkg-copy-button label="Copy the bundle's digest" .text=${bundleDigest}></bkg-copy-button></span>`;
}

function held(words: string | undefined): string {
  return words === undefined ? "" : `, ${words}`;
}

/** How the memory limit is held, in plain words; undefined while nothing runs. */
function memoryWords(enforcement: Enforcement | undefined): string | undefined {
  if (enforcement === undefined) return undefined;
  const { memory } = enforcement;
  if (memory.includes("cgroup")) return "held by the kernel";
  if (memory.includes("rlimit") && memory.includes("poll")) {
    return "held by the kernel and measured every moment";
  }
  if (memory.includes("rlimit")) return "held by the kernel";
  return memory.includes("poll") ? "measured every moment, and ended when above" : "not held here";
}

function cpuWords(enforcement: Enforcement | undefined): string | undefined {
  switch (enforcement?.cpu) {
    case "cgroup":
      return "held by the kernel";
    case "reported":
      return "measured, not held on this system";
    case "none":
      return "neither held nor measured here";
    case undefined:
      return undefined;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "bkg-plugin-facts": BkgPluginFacts;
  }
}
