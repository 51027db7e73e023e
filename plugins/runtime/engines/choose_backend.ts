// Which backend a load gets: what was asked for, or an error that says why not. Nothing falls back in silence.

import { AppError } from "../contract/error.ts";
import type { NativeEngineName, NativeVariant } from "../contract/native_engine.ts";
import type { Backend, EngineHost, NativeHost, OpenModel, WantedBackend } from "./engine.ts";

export type Chosen =
  | { backend: Exclude<Backend, "native"> }
  | { backend: "native"; native: NativeHost; variant: NativeVariant; version: string };

/** Throws UNSUPPORTED_FEATURE where there is no such native engine, or the model is not trusted with it. */
export function chooseBackend(
  wanted: WantedBackend = "wasm",
  { host, model, engine }: {
    host: Pick<EngineHost, "native">;
    model: Pick<OpenModel, "id" | "trusted">;
    engine: NativeEngineName;
  },
): Chosen {
  if (wanted === "wasm" || wanted === "webgpu") return { backend: wanted };
  const { native } = host;
  const found = native?.engines.find((candidate) => candidate.engine === engine);
  if (native === undefined || found === undefined) {
    if (wanted === "auto") return { backend: "wasm" };
    throw new AppError(
      "UNSUPPORTED_FEATURE",
      'There is no native engine here: the operator of a server adds one with "bkg engine add cpu"',
      { details: { backend: wanted, engine } },
    );
  }
  if (model.trusted !== true) {
    if (wanted === "auto") return { backend: "wasm" };
    throw new AppError(
      "UNSUPPORTED_FEATURE",
      `The native backend opens only models that are trusted: mark it with "bkg model trust ${model.id}"`,
      { details: { backend: wanted, model: model.id } },
    );
  }
  return { backend: "native", native, variant: found.variant, version: found.version };
}

/**
 * Whether wasm may take its place: "auto" leaves the choice to us, and native cannot take this model here, such as one
 * in parts that do not lie side by side, or does not start at all. The plugin's log says so.
 */
export function mayTakeWasm(wanted: WantedBackend | undefined, error: unknown): boolean {
  const isOpen = wanted === "auto" && error instanceof AppError &&
    error.code === "UNSUPPORTED_FEATURE";
  if (isOpen) console.warn(`${error.message}; "auto" takes wasm`);
  return isOpen;
}
