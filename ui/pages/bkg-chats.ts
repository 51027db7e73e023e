// Placeholder until the page is written.
import { html, LitElement } from "lit";
import { customElement } from "lit/decorators.js";
@customElement("bkg-chats")
export class Placeholder extends LitElement {
  override render() {
    return html`<h1>chats</h1>`;
  }
}
