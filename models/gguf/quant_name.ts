// The quantisation that a GGUF file's name tells of: how people choose a file of a repository.
// Called by the puller for `owner/name:quant`, and by the stores for ids.

/**
 * `Q8_0` of `qwen2-0_5b-instruct-q8_0.gguf`, `UD-Q4_K_XL` of `m-UD-Q4_K_XL-00001-of-00002.gguf`; in upper case.
 * Where a name has several, the last counts. Undefined when it has none.
 */
export function quantOfFileName(name: string): string | undefined {
  const bare = name.slice(name.lastIndexOf("/") + 1).toUpperCase();
  const found = [...bare.matchAll(quantName)].at(-1);
  return found?.[1]?.replace(/^FP(?=16$|32$)/, "F");
}

/** Between separators, so that a name such as `XQ4_0` or `f160m` is none. */
const quantName = new RegExp(
  "(?<=^|[-._])(" +
    "(?:UD-)?(?:" +
    [
      "I?Q[1-9]_(?:[01]|[KMS]|XXS|XS|NL)(?:_(?:XXS|XS|XXL|XL|NL|[SML]|[48]_[48]|SOME_F16))*",
      "BF16|FP?16|FP?32|F64",
      "TQ[12]_0|MXFP4(?:_MOE)?|NVFP4",
    ].join("|") +
    "))(?=$|[-._])",
  "g",
);
