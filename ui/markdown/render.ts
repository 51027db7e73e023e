// One block of Markdown as DOM: marked makes HTML of it, DOMPurify lets only the tags below through, and links,
// tables and code get their frame here. Loaded lazily by bkg-markdown. Raw HTML and images stay text.

import DOMPurify from "dompurify";
import { Marked } from "marked";
import { linkHint, readLink } from "./links.ts";

/** Builds the frame around a piece of code. */
export type FrameCode = (code: { language: string; text: string }) => HTMLElement;

export function renderMarkdown(
  text: string,
  { frameCode }: { frameCode: FrameCode },
): DocumentFragment {
  const html = marked.parse(text) as string;
  const fragment = DOMPurify.sanitize(html, {
    ALLOWED_TAGS: allowedTags,
    ALLOWED_ATTR: ["href", "start", "align", "data-language"],
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
  for (const link of fragment.querySelectorAll("a")) finishLink(link);
  for (const table of fragment.querySelectorAll("table")) frameTable(table);
  for (const pre of fragment.querySelectorAll("pre")) {
    const code = pre.querySelector("code");
    const language = code?.getAttribute("data-language") ?? "";
    pre.replaceWith(frameCode({ language, text: pre.textContent.replace(/\n$/, "") }));
  }
  for (const element of fragment.querySelectorAll(directed)) element.setAttribute("dir", "auto");
  return fragment;
}

/** Code with its words coloured; only spans with a class come out. */
export function sanitizeHighlight(html: string): DocumentFragment {
  return DOMPurify.sanitize(html, {
    ALLOWED_TAGS: ["span"],
    ALLOWED_ATTR: ["class"],
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
}

const allowedTags = [
  ...["p", "br", "hr", "h3", "h4", "h5", "h6", "strong", "em", "del", "code", "pre", "blockquote"],
  ...["ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td", "a"],
];
const directed = "p, li, blockquote, td, th, h3, h4, h5, h6";

const marked = new Marked({
  gfm: true,
  breaks: true,
  async: false,
  tokenizer: {
    // Tags are text; `undefined` is "this is none", where `false` would ask marked's own.
    html: () => undefined,
    tag: () => undefined,
    // Each block is parsed alone: a definition would vanish without a use.
    def: () => undefined,
  },
  renderer: {
    html: ({ text }) => escapeHtml(text),
    heading({ tokens, depth }) {
      const level = Math.min(depth + 2, 6);
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>\n`;
    },
    code: ({ text, lang }) =>
      `<pre><code data-language="${escapeHtml(lang?.split(/\s/, 1)[0]?.slice(0, 30) ?? "")}">${
        escapeHtml(text)
      }</code></pre>\n`,
    link({ href, tokens }) {
      return `<a href="${escapeHtml(href)}">${this.parser.parseInline(tokens)}</a>`;
    },
    // Loading an image would tell its host about this conversation.
    image: ({ href, text }) =>
      `<a href="${escapeHtml(href)}">${escapeHtml(text === "" ? "image" : `image: ${text}`)}</a>`,
    checkbox: ({ checked }) => checked ? "☑ " : "☐ ",
  },
});

function finishLink(link: HTMLAnchorElement): void {
  const safe = readLink(link.getAttribute("href") ?? "");
  if (safe === undefined) {
    link.replaceWith(...link.childNodes);
    return;
  }
  link.href = safe.href;
  link.target = "_blank";
  link.rel = "noopener noreferrer nofollow";
  link.dir = "auto";
  const hint = linkHint(link.textContent, safe);
  if (hint === undefined) return;
  const target = document.createElement("span");
  target.className = "link-target";
  target.dir = "ltr";
  target.textContent = hint;
  link.append(" ", target);
}

function frameTable(table: HTMLTableElement): void {
  const frame = document.createElement("div");
  frame.className = "table";
  frame.tabIndex = 0;
  frame.role = "region";
  frame.ariaLabel = "Table";
  table.replaceWith(frame);
  frame.append(table);
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;").replaceAll("'", "&#39;");
}
