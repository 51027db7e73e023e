// Counts the operators of an ONNX file, and tells from them how its weights are quantised.

import type { OnnxLimits } from "./limits.ts";
import type { Message } from "./message.ts";
import { refuse } from "./refuse.ts";

export interface Operators {
  add(node: Message): void;
  addAttribute(attribute: Message): void;
  readonly nodeCount: number;
  /** Of the main graph alone. */
  readonly mainNodes: number;
  readonly operatorCount: number;
  /** The name of the quantisation, where the weights' type is not all that is to say. */
  quantize(type: string | undefined): string | undefined;
}

/** Throws INVALID_MODEL for a node without an operator. */
export function createOperators(limits: OnnxLimits): Operators {
  const operators = new Set<string>();
  const integerOperators = new Set<string>();
  let blockBits: number | undefined;
  let nodeCount = 0;
  let mainNodes = 0;
  return {
    add(node) {
      const operator = node.text("op_type") ?? "";
      if (operator === "") {
        refuse("has no operator", { field: node.path, offset: node.start, limit: "op_type" });
      }
      nodeCount++;
      if (node.parent?.field === "graph") mainNodes++;
      operators.add(`${node.text("domain") ?? ""}.${operator}`);
      if (operators.size > limits.operatorCount) {
        refuse("has one operator too many", {
          field: node.path,
          offset: node.start,
          limit: limits.operatorCount,
        });
      }
      if (integerOperator.test(operator)) integerOperators.add(operator);
    },
    addAttribute(attribute) {
      // MatMulNBits and its kin keep two or more weights in a byte, and call the bytes uint8.
      if (attribute.parent?.type !== "node" || attribute.text("name") !== "bits") return;
      blockBits = attribute.integer("i", { min: 0, max: 64 });
    },
    get nodeCount() {
      return nodeCount;
    },
    get mainNodes() {
      return mainNodes;
    },
    get operatorCount() {
      return operators.size;
    },
    quantize(type) {
      if (type !== "uint8" && type !== "int8") return type;
      if ([...integerOperators].some((operator) => blockOperator.test(operator))) {
        return `int${blockBits ?? 4}`;
      }
      return integerOperators.size > 0 ? "int8" : type;
    },
  };
}

const blockOperator = /^(?:MatMulNBits|MatMulBnb4|GatherBlockQuantized|QMoE)$/;
const integerOperator =
  /^(?:MatMulInteger.*|ConvInteger|Dynamic(?:Quantize.*)|QLinear.*|DequantizeLinear|QAttention|QGemm|MatMulNBits|MatMulBnb4|GatherBlockQuantized|QMoE)$/;
