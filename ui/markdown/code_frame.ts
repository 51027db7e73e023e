// A piece of code in an answer: its language, a button that copies it, and text that can grow while it is written.

import { capText, formatCount } from "../components/format.ts";
import { hasDirectionMarks } from "./links.ts";
import "../components/bkg-copy-button.ts";

export interface CodeFrame {
  readonly element: HTMLElement;
  /** Shows the text; what was shown before and is its beginning is not touched. */
  update(text: string): void;
  /** The text is complete: it can be copied, and gets its colours. */
  finish(): void;
}

export function createCodeFrame(language: string): CodeFrame {
  const element = document.createElement("figure");
  const head = document.createElement("figcaption");
  const name = document.createElement("span");
  name.className = "language";
  name.textContent = language === "" ? "text" : language;
  const copy = document.createElement("bkg-copy-button");
  copy.label = "Copy the code";
  copy.className = "pending";
  head.append(name, copy);
  const pre = document.createElement("pre");
  pre.tabIndex = 0;
  pre.role = "region";
  pre.ariaLabel = language === "" ? "Code" : `Code, ${language}`;
  // Code reads from left to right, whatever is in it.
  pre.dir = "ltr";
  const code = document.createElement("code");
  const node = document.createTextNode("");
  code.append(node);
  pre.append(code);
  element.append(head, pre);

  let text = "";
  let all = false;
  const show = () => {
    const shown = all ? text : beginningOf(text);
    if (shown.startsWith(node.data)) node.appendData(shown.slice(node.data.length));
    else node.data = shown;
  };
  return {
    element,
    update(next) {
      text = next;
      show();
    },
    finish() {
      copy.text = text;
      copy.classList.remove("pending");
      if (hasDirectionMarks(text)) head.insertBefore(directionWarning(), copy);
      if (node.data.length < text.length) {
        element.append(moreButton(text, () => {
          all = true;
          show();
        }));
      } else {
        void colour(code, { text, language });
      }
    },
  };
}

async function colour(code: HTMLElement, { text, language }: { text: string; language: string }) {
  if (language === "" || text.length > maxColouredChars) return;
  try {
    const [{ highlightCode }, { sanitizeHighlight }] = await Promise.all([
      import("./highlight.ts"),
      import("./render.ts"),
    ]);
    const html = highlightCode(text, language.toLowerCase());
    if (html !== undefined) code.replaceChildren(sanitizeHighlight(html));
  } catch {
    // Without colours it can be read as well.
  }
}

function beginningOf(text: string): string {
  let end = 0;
  for (let line = 0; line < maxLines && end !== -1; line++) end = text.indexOf("\n", end + 1);
  const lines = end === -1 ? text : text.slice(0, end);
  return lines.length > maxChars ? capText(lines, maxChars) : lines;
}

function moreButton(text: string, show: () => void): HTMLElement {
  const more = document.createElement("button");
  more.type = "button";
  more.className = "more";
  more.textContent = `Show all ${formatCount(text.split("\n").length)} lines`;
  more.addEventListener("click", () => {
    show();
    more.remove();
  });
  return more;
}

/** Code may say something else than it seems to (CVE-2021-42574). */
function directionWarning(): HTMLElement {
  const warning = document.createElement("span");
  warning.className = "warning";
  warning.textContent = "Has invisible marks that reorder its text";
  return warning;
}

const maxLines = 400;
const maxChars = 40_000;
const maxColouredChars = 20_000;
