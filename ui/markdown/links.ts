// What a link in a model's answer may be, and what has to be said about it beside its text.

export interface SafeLink {
  href: string;
  /** The host, or a mail's address: what the link really leads to. */
  target: string;
}

/** Only absolute http, https and mailto addresses; anything else is no link. */
export function readLink(href: string): SafeLink | undefined {
  let url: URL;
  try {
    url = new URL(href);
  } catch {
    return undefined;
  }
  if (url.protocol === "mailto:") {
    const address = decode(url.pathname);
    // Only the address: headers could carry a conversation into a mail that is sent without a look.
    return address === "" ? undefined : { href: `mailto:${url.pathname}`, target: address };
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") return undefined;
  // `https://bank.example@evil.example` leads to the latter.
  url.username = "";
  url.password = "";
  return { href: url.href, target: url.host };
}

/** What to show after the link's text; undefined when the text is the address itself. */
export function linkHint(text: string, link: SafeLink): string | undefined {
  return plainAddress(text) === plainAddress(link.href) ? undefined : link.target;
}

/** Characters that turn the order of text around, or hide in it. */
export function hasDirectionMarks(text: string): boolean {
  return /[\u202a-\u202e\u2066-\u2069]/.test(text);
}

function plainAddress(text: string): string {
  return text.trim().toLowerCase().replace(/^(?:https?:\/\/|mailto:)/, "").replace(/\/$/, "");
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
