// Models that think aloud write it between <think> and </think>, before their answer.

export interface SplitAnswer {
  /** Undefined when there is none. */
  thinking: string | undefined;
  /** Whether the thinking has ended. */
  thought: boolean;
  answer: string;
}

export function splitThinking(text: string): SplitAnswer {
  const start = /^\s*<think>\s*/.exec(text.slice(0, 200))?.[0];
  if (start === undefined) return { thinking: undefined, thought: true, answer: text };
  const end = text.indexOf("</think>", start.length);
  if (end === -1) return { thinking: text.slice(start.length), thought: false, answer: "" };
  const thinking = text.slice(start.length, end).trim();
  return {
    thinking: thinking === "" ? undefined : thinking,
    thought: true,
    answer: text.slice(end + "</think>".length).trimStart(),
  };
}
