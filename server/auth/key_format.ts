// What an API key looks like: `bkg_<id>_<secret>`. The id finds its row, the secret's SHA-256 proves it.
// Callers: api_keys_store (makes them), identities (reads them).

import { randomInt } from "node:crypto";

export interface KeyParts {
  id: string;
  secret: string;
}

/** Twelve characters, so that no id is "operator", "session" or "refresh", which other credentials begin with. */
export function makeId(): string {
  return Array.from({ length: idLength }, () => alphabet[randomInt(alphabet.length)]).join("");
}

export function formatKey({ id, secret }: KeyParts): string {
  return `bkg_${id}_${secret}`;
}

/** Undefined for what has not the shape of a key. */
export function parseKey(bearer: string): KeyParts | undefined {
  const [, id, secret] = keyShape.exec(bearer) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

const idLength = 12;
const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
const keyShape = /^bkg_([a-z0-9]{12})_([A-Za-z0-9_-]{43})$/;
