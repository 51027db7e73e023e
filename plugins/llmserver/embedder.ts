// What makes vectors of texts: an encoder on ONNX as it is, or a GGUF model, which takes one text after the other.

import { PluginError } from "@bkg/plugin";
import type { LoadedModel, TextEncoderModel } from "./settings.ts";

/** An ONNX text encoder is one. */
export interface Embedder extends Pick<TextEncoderModel, "embed" | "isBroken" | "unload"> {
  info(): Omit<ReturnType<TextEncoderModel["info"]>, "pooling">;
}

/** Of a GGUF model that was loaded for vectors. */
export function createWordEmbedder(model: LoadedModel): Embedder {
  return {
    get isBroken() {
      return model.isBroken;
    },
    info() {
      const { contextLength: maxTokens, dimensions, ...info } = model.info();
      return { ...info, maxTokens, dimensions, normalizes: true, promptNames: [] };
    },
    async embed(texts, { promptName, signal, progress } = {}) {
      if (promptName !== undefined) {
        throw new PluginError("INVALID_INPUT", "A GGUF model has no prompts by name", {
          details: { field: "promptName" },
        });
      }
      const options = {
        ...(signal === undefined ? {} : { signal }),
        ...(progress === undefined ? {} : { progress }),
      };
      const vectors: Float32Array[] = [];
      let [promptTokens, truncated] = [0, 0];
      for (const text of texts) {
        const embedding = await model.embed(text, options);
        vectors.push(embedding.vector);
        promptTokens += embedding.promptTokens;
        if (embedding.truncated) truncated++;
      }
      return { vectors, promptTokens, truncated };
    },
    unload: () => model.unload(),
  };
}
