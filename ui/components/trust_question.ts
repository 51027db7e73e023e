// What a person is asked before native engines may open a model. Caller: the page of models.

import { html } from "lit";
import type { Question } from "./bkg-confirm.ts";

export function askTrust(name: string, run: () => Promise<void>): Question {
  return {
    heading: `Trust ${name}?`,
    text: html`
      <p>Native engines are faster. They are machine code outside the plugins' sandbox, and a file
        made to attack them can do harm there: trust a model when you know whom it is from.</p>
      <p class="quiet">This is of its files as they are now. Files that bkg has not read yet are
        read first, and one that changes later is trusted no more.</p>
    `,
    label: "Trust",
    run,
  };
}
