// The link that carries a sign-in code: in the fragment, which no browser sends and no server logs.

/** `base` is where the page is served, without a slash at its end. */
export function signInUrl(base: string, code: string): string {
  return `${base}/#code=${code}`;
}
