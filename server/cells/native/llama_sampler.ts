// Chooses the tokens of one call, by llama.cpp's own samplers in its server's order, and tells their probabilities.

import { AppError } from "../../../plugins/runtime/contract/error.ts";
import type {
  LlamaGenerate,
  LlamaLogprob,
  LlamaSampling,
} from "../../../plugins/runtime/contract/native_llama.ts";
import type { AddonContext, AddonModel, AddonSampler, LlamaAddon } from "./llama_addon.ts";
import type { TokenPieces } from "./llama_pieces.ts";

export interface Sampled {
  /** -1 where the grammar leaves none. */
  token: number;
  logprob?: LlamaLogprob;
}

export interface Sampler {
  /** Gets ready, while the engine is at work; what goes wrong is thrown by `sample`. */
  prepare(): void;
  /** Chooses from the logits at `index` of the batch that was decoded. */
  sample(context: AddonContext, index: number): Promise<Sampled>;
  dispose(): void;
}

/** `prompt`: penalties look back into it. Throws INVALID_INPUT for a grammar that cannot be read. */
export function createSampler(
  { addon, model, pieces }: { addon: LlamaAddon; model: AddonModel; pieces: TokenPieces },
  options: LlamaSampling & Pick<LlamaGenerate, "grammar" | "topLogprobs">,
  prompt: readonly number[],
): Sampler {
  const { grammar, topLogprobs } = options;
  const grammarState = grammar === undefined ? undefined : readGrammar(addon, model, grammar);
  let samplers: Samplers | undefined;
  const open = () => samplers ??= createSamplers(addon, model, options, { prompt, grammarState });
  return {
    prepare() {
      try {
        open();
      } catch {
        // It is tried again.
      }
    },
    async sample(context, index) {
      const { chooser, observer } = open();
      const token = await context.sampleToken(index, chooser);
      if (observer === undefined || token < 0) return { token };
      const wanted: [number[], false, false, false, number] = [
        [token],
        ...([false, false, false] as const),
        Math.max(topLogprobs ?? 0, 1),
      ];
      const [, , , logits, weight] = await context
        .sampleToken(index, observer, false, false, wanted, true);
      return { token, logprob: readLogprobs(pieces, logits, { weight, top: topLogprobs ?? 0 }) };
    },
    dispose() {
      samplers?.chooser.dispose();
      samplers?.observer?.dispose();
    },
  };
}

interface Samplers {
  chooser: AddonSampler;
  /** The chooser's logits are what temperature, penalties and grammar left of them; this one's are the model's. */
  observer?: AddonSampler;
}

function createSamplers(
  addon: LlamaAddon,
  model: AddonModel,
  options: LlamaSampling & Pick<LlamaGenerate, "topLogprobs">,
  { prompt, grammarState }: {
    prompt: readonly number[];
    grammarState: ReturnType<typeof readGrammar> | undefined;
  },
): Samplers {
  const chooser = new addon.AddonSampler(model);
  const { frequencyPenalty = 0, presencePenalty = 0, repeatPenalty = 1 } = options;
  chooser.applyConfig({
    temperature: options.temperature ?? 0.8,
    topK: options.topK ?? 40,
    // Of 0 the addon thinks as of none.
    topP: Math.max(options.topP ?? 0.95, 1e-9),
    minP: options.minP ?? 0.05,
    seed: options.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]! >>> 1,
    ...(frequencyPenalty === 0 && presencePenalty === 0 && repeatPenalty === 1 ? {} : {
      repeatPenalty,
      repeatPenaltyFrequencyPenalty: frequencyPenalty,
      repeatPenaltyPresencePenalty: presencePenalty,
      repeatPenaltyMaxTokens: penaltyTokens,
      repeatPenaltyTokens: Uint32Array.from(prompt.slice(-penaltyTokens)),
    }),
    ...(grammarState === undefined ? {} : { grammarEvaluationState: grammarState }),
  });
  if (options.topLogprobs === undefined) return { chooser };
  const observer = new addon.AddonSampler(model);
  observer.applyConfig({ temperature: 0 });
  return { chooser, observer };
}

/** Of llama.cpp's server. */
const penaltyTokens = 64;

function readGrammar(addon: LlamaAddon, model: AddonModel, text: string) {
  try {
    const grammar = new addon.AddonGrammar(text, { addonExports: addon, rootRuleName: "root" });
    return new addon.AddonGrammarEvaluationState(model, grammar);
  } catch (cause) {
    throw new AppError("INVALID_INPUT", "The grammar cannot be read", {
      details: { field: "grammar" },
      cause,
    });
  }
}

/** `logits` are pairs of token and logit: the likeliest, likeliest first, and last the token that was chosen. */
function readLogprobs(
  pieces: TokenPieces,
  logits: readonly number[],
  { weight, top }: { weight: number; top: number },
): LlamaLogprob {
  const total = logits[1]! + Math.log(weight);
  const read = (at: number) => {
    const bytes = pieces.bytesOf(logits[at]!);
    const logprob = Math.min(logits[at + 1]! - total, 0);
    return { text: new TextDecoder().decode(bytes), bytes: [...bytes], logprob };
  };
  const likeliest = Array.from(
    { length: Math.min(top, logits.length / 2 - 1) },
    (_, index) => read(index * 2),
  );
  return { ...read(logits.length - 2), top: likeliest };
}
