// Which texts are ids of models, and where the manifest of one lies. Neutral: for whoever takes an id from outside.
// Invariant: two ids never share a path, and no path leaves its folder, on any file system bkg may meet.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import { quote } from "../format/text.ts";
import { maxModelIdChars, modelIdPattern } from "../model.ts";

/** Throws INVALID_INPUT, saying what an id looks like. */
export function checkModelId(id: string): string {
  if (isModelId(id)) return id;
  throw new AppError(
    "INVALID_INPUT",
    `${quote(id)} is no id of a model: they look like "name", "owner/name" or ` +
      `"owner/name:variant", have at most ${maxModelIdChars} characters, and none that is ` +
      `invisible or that file names cannot have`,
    { details: { maxChars: maxModelIdChars } },
  );
}

export function isModelId(id: string): boolean {
  if (id.length > maxModelIdChars || !modelIdPattern.test(id)) return false;
  // One spelling for what looks the same: no decomposed letters, no full-width separators or dots.
  if (id.normalize("NFKC") !== id) return false;
  return id.split(/[/:]/).every((segment) =>
    !reservedName.test(segment) && !/\.json$/i.test(segment) &&
    new TextEncoder().encode(segment).length <= maxSegmentBytes
  );
}

/** Relative to `manifests/`, with "/": `owner/name/variant.json`, `owner/name.json`, `_/name/variant.json`. */
export function manifestPathOf(id: string): string {
  const [base = "", variant] = checkModelId(id).split(":");
  if (variant === undefined) return `${base}.json`;
  // An id never starts with "_/", or "name:variant" would lie where "name/variant" does.
  return `${base.includes("/") ? base : `_/${base}`}/${variant}.json`;
}

/** The id whose manifest lies at a path; undefined for a path where none does. */
export function modelIdAt(manifestPath: string): string | undefined {
  if (!manifestPath.endsWith(".json")) return undefined;
  const segments = manifestPath.slice(0, -".json".length).split("/");
  const [first, second, third] = segments;
  const base = segments.length < 3 ? segments.join("/") : `${first}/${second}`;
  const id = third === undefined ? base : `${first === "_" ? second : base}:${third}`;
  return isModelId(id) && manifestPathOf(id) === manifestPath ? id : undefined;
}

const reservedName = /^(?:con|prn|aux|nul|conin\$|conout\$|com\d|lpt\d)(?:\.|$)/i;
/** A file name takes 255 bytes, and ".json" and the ending of a draft come with it. */
const maxSegmentBytes = 230;
