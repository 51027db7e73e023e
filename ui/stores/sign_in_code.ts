// The codes of sign-in links, "<url>/#code=<code>", and of invitations, "<url>/#invitation=<code>". A fragment is sent
// to no server and no log; it leaves the address bar, and so the history, before anything else runs.

export type LinkCode = { code: string } | { invitation: string };

/** Takes the code out of the page's address; undefined when there is none. */
export function takeCode(
  { location, history }: {
    location: { readonly hash: string; readonly pathname: string; readonly search: string };
    history: {
      readonly state: unknown;
      replaceState(state: unknown, unused: "", url: string): void;
    };
  },
): LinkCode | undefined {
  if (!fragment.test(location.hash)) return undefined;
  const code = readCode(location.hash);
  history.replaceState(history.state, "", location.pathname + location.search);
  return code;
}

/** The code in what a person typed or pasted: a whole link, a part of one, or a sign-in code alone. */
export function readCode(text: string): LinkCode | undefined {
  const [, kind = "code", found = text.trim()] = fragment.exec(text.trim()) ?? [];
  if (!codeShape.test(found)) return undefined;
  return kind === "invitation" ? { invitation: found } : { code: found };
}

const fragment = /(?:^|[#?&])(code|invitation)=([^&\s]*)/;
/** Base64url, and some room: the server decides. */
const codeShape = /^[A-Za-z0-9_-]{8,128}$/;
