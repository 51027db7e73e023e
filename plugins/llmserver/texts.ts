// Texts of a call as they are used: at least one, and none empty.

import { PluginError } from "@bkg/plugin";

/** Throws INVALID_INPUT with the `field` that is wrong, such as "input[3]". */
export function readTexts(value: string | readonly string[], field: string): readonly string[] {
  const texts = typeof value === "string" ? [value] : value;
  if (texts.length === 0) throw refused(field, "must hold at least one text");
  const empty = texts.indexOf("");
  if (empty >= 0) {
    throw refused(typeof value === "string" ? field : `${field}[${empty}]`, "must not be empty");
  }
  return texts;
}

function refused(field: string, problem: string): PluginError {
  return new PluginError("INVALID_INPUT", `The field "${field}" ${problem}`, {
    details: { field },
  });
}
