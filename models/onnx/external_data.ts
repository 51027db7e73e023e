// Where a tensor's data lies when it is not in the ONNX file: a range of a file beside it, and never elsewhere.

import { hasUnprintable, quote } from "../format/text.ts";
import type { Message } from "./message.ts";
import { refuse } from "./refuse.ts";

/** Files beside the model by name, with "/", relative to its folder; and their sizes in bytes. */
export type ExternalFiles = ReadonlyMap<string, number>;

/** Checks that `bytes` of a tensor's data are in one of `files`. Throws INVALID_MODEL; answers the file's name. */
export function checkExternalData(
  tensor: Message,
  { bytes, files }: { bytes: bigint; files: ExternalFiles },
): string {
  const entries = readEntries(tensor);
  const { offset: place = tensor.start } = tensor.find("external_data") ?? {};
  const at = (key: string) => ({ field: `external ${key} of ${tensor.path}`, offset: place });

  const location = entries.get("location");
  if (location === undefined) {
    return refuse("is missing", { ...at("location"), limit: "a file's name" });
  }
  checkLocation(location, at("location"));
  const size = files.get(location);
  if (size === undefined) {
    return refuse(`is ${quote(location)}, which is not there`, {
      ...at("location"),
      limit: "a file beside the model, no link",
    });
  }
  const offset = readNumber(entries.get("offset") ?? "0", at("offset"));
  const length = readNumber(entries.get("length") ?? String(bytes), at("length"));
  if (length !== bytes) {
    refuse(`is ${length}`, { ...at("length"), limit: `${bytes} bytes, as its dimensions say` });
  }
  if (offset + length > BigInt(size)) {
    refuse(`puts the data's end at ${offset + length}, past the end of ${quote(location)}`, {
      ...at("offset"),
      limit: size,
    });
  }
  return location;
}

function readEntries(tensor: Message): ReadonlyMap<string, string> {
  const entries = new Map<string, string>();
  for (const entry of tensor.messages("external_data")) {
    const key = entry.text("key") ?? "";
    const value = entry.text("value");
    const place = { field: `external data of ${tensor.path}`, offset: entry.start };
    if (!knownKeys.includes(key)) {
      refuse(`has the key ${quote(key)}`, { ...place, limit: knownKeys.join(", ") });
    }
    if (entries.has(key)) refuse(`says its ${key} twice`, { ...place, limit: "once" });
    if (value === undefined) refuse(`says no ${key}`, { ...place, limit: "a short text" });
    entries.set(key, value);
  }
  return entries;
}

/** Engines join it to the model's folder, and some read other things than files by such a name. */
function checkLocation(location: string, place: { field: string; offset: number }): void {
  const problem = location === ""
    ? "is empty"
    : location.length > maxLocationChars
    ? "is too long"
    : location.startsWith("/")
    ? "is absolute"
    : hasUnprintable(location) || /[\\:*?"<>|]/.test(location)
    ? "holds characters that no file's name should"
    : location.split("/").some((part) => part === "" || /^\.+$|^[ ]|[ .]$/.test(part))
    ? "leads out of the model's folder, or around in it"
    : undefined;
  if (problem === undefined) return;
  refuse(`is ${quote(location)} and ${problem}`, { ...place, limit: "a plain relative path" });
}

function readNumber(text: string, place: { field: string; offset: number }): bigint {
  if (!/^(?:0|[1-9]\d{0,18})$/.test(text)) {
    refuse(`is ${quote(text)}`, { ...place, limit: "a whole number below 10^19" });
  }
  return BigInt(text);
}

/** Those of onnx.proto. Engines know more: a folder, blobs that they packed themselves. */
const knownKeys = ["location", "offset", "length", "checksum"];
const maxLocationChars = 1024;
