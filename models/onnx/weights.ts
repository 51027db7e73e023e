// Sums up the tensors of an ONNX file: how many elements, of which type most, and in which files beside it.

import { findDominant } from "../format/dominant.ts";
import type { OnnxLimits } from "./limits.ts";
import type { Message } from "./message.ts";
import { refuse } from "./refuse.ts";
import type { TensorSummary } from "./tensor.ts";

export interface Weights {
  add(tensor: Message, summary: TensorSummary): void;
  readonly parameterCount: number;
  readonly dominantType: string | undefined;
  /** Sorted. */
  readonly externalFiles: string[];
}

/** Throws INVALID_MODEL when the sums pass what a file can mean. */
export function createWeights(limits: OnnxLimits): Weights {
  const elementsByType = new Map<string, bigint>();
  const files = new Set<string>();
  let parameters = 0n;
  return {
    add(tensor, { type, elements, externalFile }) {
      parameters += elements;
      elementsByType.set(type.name, (elementsByType.get(type.name) ?? 0n) + elements);
      if (externalFile === undefined) return;
      files.add(externalFile);
      if (files.size > limits.externalFileCount) {
        refuse("is one file too many", {
          field: `external location of ${tensor.path}`,
          offset: tensor.start,
          limit: limits.externalFileCount,
        });
      }
    },
    get parameterCount() {
      return Number(parameters);
    },
    get dominantType() {
      return findDominant(elementsByType);
    },
    get externalFiles() {
      return [...files].sort();
    },
  };
}
