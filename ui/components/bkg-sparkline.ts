// The last values as a small line. A picture beside a number: screen readers hear the number alone.

import { css, LitElement, svg } from "lit";
import { customElement, property } from "lit/decorators.js";

@customElement("bkg-sparkline")
export class BkgSparkline extends LitElement {
  /** Oldest first; the newest is at the right edge. */
  @property({ attribute: false })
  accessor values: readonly number[] = [];
  /** How many values the whole width holds. */
  @property({ type: Number })
  accessor length = 60;
  /** The value at the top; more when a value is larger. */
  @property({ type: Number })
  accessor ceiling = 1;

  static override styles = css`
    :host {
      display: block;
      height: 1.75rem;
      color: var(--wa-color-brand-fill-loud);
    }
    svg {
      display: block;
      width: 100%;
      height: 100%;
      overflow: visible;
    }
    .line {
      fill: none;
      stroke: currentColor;
      stroke-width: 1.5;
      stroke-linejoin: round;
      vector-effect: non-scaling-stroke;
    }
    .area {
      fill: currentColor;
      opacity: 0.1;
    }
    .base {
      stroke: var(--wa-color-surface-border);
      vector-effect: non-scaling-stroke;
    }
  `;

  override render() {
    const top = Math.max(this.ceiling, ...this.values) * 1.05;
    const values = this.values.slice(-this.length);
    const start = this.length - values.length;
    const points = values.map((value, index) => {
      const x = ((start + index) / (this.length - 1)) * width;
      return `${x.toFixed(1)},${(height - (Math.max(0, value) / top) * height).toFixed(1)}`;
    });
    const firstX = ((start / (this.length - 1)) * width).toFixed(1);
    return svg`
      <svg viewBox="0 0 ${width} ${height}" preserveAspectRatio="none" aria-hidden="true">
        <line class="base" x1="0" x2=${width} y1=${height} y2=${height} />
        ${points.length < 2 || values.every((value) => value === 0) ? "" : svg`
          <polygon class="area" points="${firstX},${height} ${points.join(
            " ",
          )} ${width},${height}" />
          <polyline class="line" points=${points.join(" ")} />
        `}
      </svg>
    `;
  }
}

const width = 120;
const height = 28;

declare global {
  interface HTMLElementTagNameMap {
    "bkg-sparkline": BkgSparkline;
  }
}
