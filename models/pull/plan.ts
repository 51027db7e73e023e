// What a pull will download: resolves a source to files with addresses, sizes and digests, and to the model's id.
// Caller: the job of a pull. Invariant: links of a hub are tied to one commit.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import { parseSplitName } from "../gguf.ts";
import { maxModelIdChars, modelIdPattern, type ModelTask } from "../model.ts";
import { formatSource, type ModelSource } from "../source.ts";
import { linkOf, readHubRepo } from "./hub_repo.ts";
import { readLocalSize } from "./local_file.ts";
import type { PullNetwork } from "./network.ts";
import { createPatience } from "./patience.ts";
import { parseContentRange } from "./ranges.ts";
import { chooseDefault, chooseNamed, findVariants, type Variant } from "./variants.ts";

export interface PullPlan {
  id: string;
  /** As it could have been asked for; without a URL's query. */
  source: string;
  /** The hub's commit, or the URL's ETag. */
  revision?: string;
  license?: string;
  task?: ModelTask;
  /** The weights first, parts in order. */
  files: PlannedFile[];
}

export interface PlannedFile {
  /** In the model: `model.gguf`, `onnx/model_quantized.onnx`. */
  name: string;
  /** Or an absolute path; may be signed, so it is for no log. */
  url: string;
  /** Bytes. */
  size: number | undefined;
  /** `sha256:<hex>`, where the source tells it. */
  digest: string | undefined;
  /** SHA-1 by which git names the blob, of small files of a hub. */
  gitOid?: string;
}

export interface PlanOptions {
  /** Another id than the source's own. */
  id?: string;
  signal: AbortSignal;
}

/**
 * Throws NOT_FOUND, naming what there is, FORBIDDEN with what to do, INVALID_INPUT for a choice that is open, and what
 * the network throws.
 */
export async function planPull(
  source: ModelSource,
  network: PullNetwork,
  options: PlanOptions,
): Promise<PullPlan> {
  const plan = await planSource(source, network, options.signal);
  const id = options.id ?? plan.id;
  if (id.length > maxModelIdChars || !modelIdPattern.test(id)) {
    throw new AppError("INVALID_INPUT", `"${id.slice(0, maxModelIdChars)}" is no id of a model`);
  }
  return { ...plan, id };
}

function planSource(
  source: ModelSource,
  network: PullNetwork,
  signal: AbortSignal,
): Promise<PullPlan> {
  switch (source.kind) {
    case "hub":
      return planHub(source, network, signal);
    case "url":
      return planUrl(source, network, signal);
    case "file":
      return planFile(source);
  }
}

async function planHub(
  source: ModelSource & { kind: "hub" },
  network: PullNetwork,
  signal: AbortSignal,
): Promise<PullPlan> {
  const { repo, revision } = source;
  using session = network.open();
  const found = await readHubRepo({ repo, revision, session, network, signal });
  const { commit, files, license, task } = found;
  const variant = choose(findVariants(files), source);
  return {
    id: variant.name === undefined ? repo : `${repo}:${variant.name}`,
    source: formatSource(source),
    revision: commit,
    ...(license === undefined ? {} : { license }),
    ...(task === undefined ? {} : { task }),
    files: variant.files.map(({ path, size, digest, gitOid }) => ({
      ...{ name: path, url: linkOf(network, { repo, commit, path }), size, digest },
      ...(gitOid === undefined ? {} : { gitOid }),
    })),
  };
}

function choose(variants: readonly Variant[], source: ModelSource & { kind: "hub" }): Variant {
  const { repo, variant: wanted } = source;
  if (variants.length === 0) {
    throw new AppError("NOT_FOUND", `"${repo}" has no GGUF, ONNX or safetensors model`);
  }
  const there = `it has ${listNames(variants)}`;
  if (wanted === undefined) return chooseDefault(variants) ?? refuseOpen(`"${repo}"`, there);
  const [chosen, ...others] = chooseNamed(variants, wanted);
  if (chosen === undefined) {
    throw new AppError("NOT_FOUND", `"${repo}" has no "${wanted}": ${there}`);
  }
  return others.length === 0 ? chosen : refuseOpen(`"${wanted}"`, there);
}

function refuseOpen(what: string, there: string): never {
  throw new AppError("INVALID_INPUT", `${what} may be several models; name a file: ${there}`);
}

function listNames(variants: readonly Variant[]): string {
  const names = variants.map(({ name, files }) => `"${name ?? files[0]?.path}"`);
  const shown = names.slice(0, maxShownNames).join(", ");
  return names.length > maxShownNames ? `${shown} and ${names.length - maxShownNames} more` : shown;
}

const maxShownNames = 30;

async function planUrl(
  source: ModelSource & { kind: "url" },
  network: PullNetwork,
  signal: AbortSignal,
): Promise<PullPlan> {
  const { url } = source;
  const name = decodeURIComponent(new URL(url).pathname.split("/").at(-1) ?? "");
  const { size, etag } = await probe(url, network, signal);
  return {
    ...{ id: stemOf(name), source: formatSource(source) },
    ...(etag === undefined ? {} : { revision: etag }),
    files: [{ name, url, size, digest: undefined }],
  };
}

/** Asks for one byte, which tells the size of all. */
async function probe(
  url: string,
  network: PullNetwork,
  signal: AbortSignal,
): Promise<{ size: number | undefined; etag: string | undefined }> {
  using session = network.open();
  const patience = createPatience({ limits: network.limits, signal });
  while (true) {
    try {
      const { status, headers, body } = await session.request(url, {
        ...{ headers: { range: "bytes=0-0" }, signal },
      });
      body.close();
      const length = headers.get("content-length") ?? "";
      const size = status === 206
        ? parseContentRange(headers.get("content-range"))?.total
        : /^\d{1,15}$/.test(length)
        ? Number(length)
        : undefined;
      return { size, etag: headers.get("etag")?.slice(0, 200) };
    } catch (error) {
      await patience.bear(error);
    }
  }
}

async function planFile(source: ModelSource & { kind: "file" }): Promise<PullPlan> {
  const { path } = source;
  if (!path.startsWith("/")) {
    throw new AppError(
      "INVALID_INPUT",
      `"${path}" must be an absolute path: here is another folder`,
    );
  }
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  const name = path.slice(folder.length);
  const split = parseSplitName(name);
  const names = split === undefined ? [name] : Array.from(
    { length: split.count },
    (_, index) => name.replace(/\d{5}(?=-of-\d{5}\.gguf$)/, String(index + 1).padStart(5, "0")),
  );
  const files = await Promise.all(names.map(async (part) => ({
    ...{ name: part, url: folder + part, digest: undefined },
    size: await readLocalSize(folder + part),
  })));
  return { id: split?.base ?? stemOf(name), source: path, files };
}

function stemOf(name: string): string {
  return name.replace(/\.[^.]*$/, "");
}
