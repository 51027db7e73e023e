// The links that carry a code: in the fragment, which no browser sends and no server logs.

/** `base` is where the page is served, without a slash at its end. */
export function signInUrl(base: string, code: string): string {
  return `${base}/#code=${code}`;
}

/** The link by which somebody chooses a password, once. */
export function invitationUrl(base: string, code: string): string {
  return `${base}/#invitation=${code}`;
}
