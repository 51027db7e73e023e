// The single-use code of a sign-in link, "<url>/#code=<code>". A fragment is sent to no server and no log;
// it leaves the address bar, and so the history, before anything else runs.

/** Takes the code out of the page's address; undefined when there is none. */
export function takeCode(
  { location, history }: {
    location: { readonly hash: string; readonly pathname: string; readonly search: string };
    history: {
      readonly state: unknown;
      replaceState(state: unknown, unused: "", url: string): void;
    };
  },
): string | undefined {
  if (!fragment.test(location.hash)) return undefined;
  const code = readCode(location.hash);
  history.replaceState(history.state, "", location.pathname + location.search);
  return code;
}

/** The code in what a person typed or pasted: a whole link, a part of one, or the code alone. */
export function readCode(text: string): string | undefined {
  const found = fragment.exec(text.trim())?.[1] ?? text.trim();
  return codeShape.test(found) ? found : undefined;
}

const fragment = /(?:^|[#?&])code=([^&\s]*)/;
/** Base64url, and some room: the server decides. */
const codeShape = /^[A-Za-z0-9_-]{8,128}$/;
