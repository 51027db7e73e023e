// From messages to what a model reads: its own template, or a plain form where it has none.

import { PluginError } from "@bkg/plugin";

export interface Message {
  role: "system" | "user" | "assistant" | "developer" | "tool";
  content: string;
}

/** Messages with the roles that templates know; INVALID_INPUT names the field that is wrong. */
export function readMessages(messages: readonly Message[]): Message[] {
  if (messages.length === 0) {
    throw new PluginError("INVALID_INPUT", 'The field "messages" must hold at least one message', {
      details: { field: "messages" },
    });
  }
  return messages.map(({ role, content }) => ({
    role: role === "developer" ? "system" : role,
    content,
  }));
}

/**
 * The form for models without a chat template: each message after its speaker's name, then "Assistant:". A last
 * message of the assistant is continued. Its `stop` keeps the model from speaking for the user.
 */
export function plainChat(messages: readonly Message[]): { prompt: string; stop: string[] } {
  const last = messages.at(-1);
  const turns = messages.map(({ role, content }) => `${speakers[role]}: ${content}`);
  if (last?.role !== "assistant") turns.push(`${speakers.assistant}:`);
  return { prompt: turns.join("\n"), stop: [`\n${speakers.user}:`, `\n${speakers.system}:`] };
}

const speakers = {
  system: "System",
  developer: "System",
  user: "User",
  assistant: "Assistant",
  tool: "Tool",
} satisfies Record<Message["role"], string>;
