// Which model somebody means by an id that is not quite one. Neutral. Caller: model_index.

import { closeNames } from "../../plugins/runtime/contract/close_names.ts";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { quote } from "../format/text.ts";
import { maxModelIdChars } from "../model.ts";

interface Claim {
  id: string;
  /** Undefined when the model was refused. */
  record?: unknown;
}

/** Also without its variant where there is one alone, and without regard to case where that is unambiguous. */
export function resolveId<E extends Claim>(
  id: string,
  entries: ReadonlyMap<string, E>,
): E | undefined {
  const exact = entries.get(id);
  if (exact !== undefined || id.length > maxModelIdChars) return exact;
  const lower = id.toLowerCase();
  const ways = [
    (known: string) => known.toLowerCase() === lower,
    (known: string) => bareId(known) === id,
    (known: string) => bareId(known).toLowerCase() === lower,
  ];
  for (const means of ways) {
    const found = [...entries.values()].filter(({ id: known }) => means(known));
    if (found.length > 0) return found.length === 1 ? found[0] : undefined;
  }
  return undefined;
}

/** Names valid ids that are close, or the variants there are. */
export function createNotFound(id: string, entries: ReadonlyMap<string, Claim>): AppError {
  const valid = [...entries.values()].flatMap(({ id, record }) => record === undefined ? [] : [id]);
  const lower = id.toLowerCase();
  const variants = valid.filter((known) => bareId(known).toLowerCase() === lower).sort()
    .slice(0, 5);
  const close = variants.length > 0 ? variants : closeNames(id, valid);
  const hint = close.length === 0 ? "" : `; close: ${close.map(quote).join(", ")}`;
  return new AppError("NOT_FOUND", `There is no model ${quote(id)} on this host${hint}`, {
    details: { close },
  });
}

function bareId(id: string): string {
  return id.split(":")[0] ?? id;
}
