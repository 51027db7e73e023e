// Reads how a person names a model to pull: on a hub, at an address, or in a file. Callers: the API, the CLI, the page.
// Invariant: no part of what it answers can leave a folder, hide a character or carry a credential.

import { AppError } from "../plugins/runtime/contract/error.ts";

export type ModelSource =
  /** `variant`: a quantization, or the path of a file in the repository. */
  | { kind: "hub"; repo: string; revision: string; variant: string | undefined }
  | { kind: "url"; url: string }
  /** As it was written: absolute, or relative to where its reader is. */
  | { kind: "file"; path: string };

export interface ParseSourceOptions {
  /** Whose web pages are links to a repository; default the public hub. */
  endpoint?: string;
}

export const publicHub = "https://huggingface.co";

/** Throws INVALID_INPUT, which names what is wrong and shows the forms. */
export function parseSource(text: string, options: ParseSourceOptions = {}): ModelSource {
  if (text.length > maxSourceChars) refuse(`has more than ${maxSourceChars} characters`, text);
  const trimmed = text.trim();
  if (trimmed === "") refuse("is empty", text);
  if (hiddenCharacters.test(trimmed)) refuse("holds control or invisible characters", text);
  if (/^file:/i.test(trimmed)) return parseFileUrl(trimmed);
  if (/^https?:/i.test(trimmed)) return parseUrl(trimmed, options.endpoint ?? publicHub);
  if (/^(?:\.{0,2}\/)/.test(trimmed)) return parsePath(trimmed);
  const name = trimmed.replace(/^(?:hf:(?:\/\/)?|hf\.co\/|huggingface\.co\/)/i, "");
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(name)) refuse("has an unknown scheme", text);
  return parseHub(name, text);
}

/** The way back: what a person could have typed. A URL is without its query, which may be signed. */
export function formatSource(source: ModelSource): string {
  switch (source.kind) {
    case "hub": {
      const { repo, revision, variant } = source;
      const at = revision === defaultRevision ? "" : `@${revision}`;
      return `${repo}${at}${variant === undefined ? "" : `:${variant}`}`;
    }
    case "url": {
      const { origin, pathname } = new URL(source.url);
      return origin + pathname;
    }
    case "file":
      return source.path;
  }
}

/**
 * A file's name as a hub, a URL or a person gave it: segments that stay in their folder on every system. Answers what
 * is wrong with it, undefined when nothing is.
 */
export function fileNameProblem(name: string): string | undefined {
  if (name === "" || name.length > maxNameChars) return `has not 1 to ${maxNameChars} characters`;
  if (hiddenCharacters.test(name)) return "holds control or invisible characters";
  if (/[\\:]/.test(name)) return 'holds "\\" or ":"';
  // Full-width dots and slashes, and letters that only look composed, become others on some systems.
  if (name.normalize("NFKC") !== name) return "holds characters that stand for others";
  const segments = name.split("/");
  if (segments.some((segment) => segment === "")) return "has an empty part";
  if (segments.some((segment) => segment === "." || segment === "..")) return 'holds "." or ".."';
  if (segments.some((segment) => segment.length > maxSegmentChars)) {
    return `has a part of more than ${maxSegmentChars} characters`;
  }
  return undefined;
}

const maxSourceChars = 2048;
const maxNameChars = 512;
const maxSegmentChars = 200;
const defaultRevision = "main";
// Controls, formats (bidi, zero width), surrogates, private use, line and paragraph separators.
const hiddenCharacters = /[\p{C}\p{Zl}\p{Zp}]/u;
const modelFile = /\.(?:gguf|onnx|safetensors)$/i;

function parseHub(name: string, text: string): ModelSource {
  const [, repoText = "", revision, variant] = /^([^@:]*)(?:@([^:]*))?(?::(.*))?$/su.exec(name) ??
    [];
  const repo = readRepo(repoText, text);
  if (revision !== undefined && !isRevision(revision)) {
    refuse(`has the revision "${show(revision)}", which is none`, text);
  }
  if (variant !== undefined) {
    const problem = fileNameProblem(variant);
    if (problem !== undefined) refuse(`names a file or quantization that ${problem}`, text);
  }
  return { kind: "hub", repo, revision: revision ?? defaultRevision, variant };
}

function readRepo(repo: string, text: string): string {
  const [owner = "", name = "", ...rest] = repo.split("/");
  if (rest.length > 0) refuse('has more than "owner/name" before the variant', text);
  if (name === "" && modelFile.test(owner)) refuse(`is a file: say "./${show(owner)}"`, text);
  for (const part of [owner, name]) {
    if (part === "") refuse('is not "owner/name"', text);
    // As the hub allows; "--" parts owner from name in its cache, ".." climbs.
    const isName = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}$/.test(part) && !/--|\.\.|\.git$/.test(part);
    if (!isName) refuse(`is not "owner/name": "${show(part)}" is no name`, text);
  }
  return `${owner}/${name}`;
}

/** A branch, a tag, a commit, `refs/pr/1`. */
function isRevision(revision: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9_.\/-]{0,199}$/.test(revision) &&
    !/\.\.|\/\/|\/\.|[\/.]$|\.lock$/.test(revision);
}

function parseUrl(text: string, endpoint: string): ModelSource {
  const url = URL.parse(text);
  if (url === null) return refuse("is no address", text);
  if (url.username !== "" || url.password !== "") {
    // Not shown: it holds a secret.
    throw invalid("The source holds a name or password; an address must be without them");
  }
  const base = new URL(endpoint.endsWith("/") ? endpoint : `${endpoint}/`);
  const isHub = url.origin === base.origin && url.pathname.startsWith(base.pathname);
  if (isHub) return parseHubUrl(url.pathname.slice(base.pathname.length), text);
  const name = decode(url.pathname.split("/").at(-1) ?? "", text);
  if (!modelFile.test(name)) {
    refuse('must end in ".gguf", ".onnx" or ".safetensors"', text);
  }
  const problem = name.includes("/") ? 'holds "/"' : fileNameProblem(name);
  if (problem !== undefined) refuse(`names a file that ${problem}`, text);
  url.hash = "";
  return { kind: "url", url: url.href };
}

/** `owner/name`, or below it `tree/<revision>`, `blob|resolve|raw/<revision>/<path>`. */
function parseHubUrl(pathname: string, text: string): ModelSource {
  const parts = pathname.replace(/\/$/, "").split("/").map((part) => decode(part, text));
  if (parts.some((part) => part.includes("/"))) {
    // `refs%2Fpr%2F1` is one part of the path, and three of a revision.
    const [, , kind] = parts;
    const odd = parts.findIndex((part) => part.includes("/"));
    if (odd !== 3 || kind === undefined) refuse('holds an encoded "/"', text);
  }
  const [owner = "", name = "", kind, revision = defaultRevision, ...path] = parts;
  if (["datasets", "spaces", "models", "api"].includes(owner)) {
    refuse("is not the page of a model", text);
  }
  const repo = readRepo(`${owner}/${name}`, text);
  if (kind !== undefined && !["tree", "blob", "resolve", "raw"].includes(kind)) {
    refuse("is not the page of a model or of one of its files", text);
  }
  if (!isRevision(revision)) refuse(`has the revision "${show(revision)}", which is none`, text);
  if (kind === undefined || kind === "tree" || path.length === 0) {
    return { kind: "hub", repo, revision, variant: undefined };
  }
  const variant = path.join("/");
  const problem = fileNameProblem(variant);
  if (problem !== undefined) refuse(`names a file that ${problem}`, text);
  return { kind: "hub", repo, revision, variant };
}

function parseFileUrl(text: string): ModelSource {
  const url = URL.parse(text);
  if (url === null || url.host !== "") {
    return refuse("is no local file: say file:///folder/x.gguf", text);
  }
  if (/%2f|%5c|%00/i.test(url.pathname)) refuse("holds an encoded separator", text);
  return parsePath(decode(url.pathname, text));
}

function parsePath(path: string): ModelSource {
  if (hiddenCharacters.test(path)) refuse("holds control or invisible characters", path);
  if (!modelFile.test(path)) refuse('must end in ".gguf", ".onnx" or ".safetensors"', path);
  return { kind: "file", path };
}

function decode(part: string, text: string): string {
  try {
    const decoded = decodeURIComponent(part);
    if (hiddenCharacters.test(decoded)) refuse("holds control or invisible characters", text);
    return decoded;
  } catch (error) {
    if (error instanceof AppError) throw error;
    return refuse("holds a broken escape", text);
  }
}

function refuse(why: string, text: string): never {
  throw invalid(`The source "${show(text)}" ${why}`);
}

function invalid(message: string): AppError {
  return new AppError("INVALID_INPUT", `${message}; ${forms}`);
}

const forms = 'say "owner/name", "owner/name:Q8_0", "owner/name@revision:file.gguf", ' +
  '"https://host/file.gguf" or "/folder/file.gguf"';

/** For a message: short, visible, without a query. */
function show(text: string): string {
  const visible = text.replace(/\?.*$/s, "").replace(
    /[\p{C}\p{Zl}\p{Zp}"]/gu,
    (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`,
  );
  return visible.length > 120 ? `${visible.slice(0, 120)}…` : visible;
}
