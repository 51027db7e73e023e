// Two devices changed one chat, each without the other: nothing that either wrote is lost, and what either took out
// stays out. The outcome is the same whichever of them merges.

import type { ChatMessage, MessageState } from "./chat.ts";
import type { ChatBase, WholeChat } from "./chat_storage.ts";

/** `base` is what both had before; undefined when that is not known, and then nothing counts as taken out. */
export function mergeChats(
  base: ChatBase | undefined,
  { local, remote }: { local: WholeChat; remote: WholeChat },
): WholeChat {
  const newer = local.chat.updatedAtMs > remote.chat.updatedAtMs ? local.chat : remote.chat;
  const { title, model, preset, sampling } = newer;
  const chosen = base === undefined ? { title, model, preset, sampling } : {
    title: pick(base, { local, remote, newer }, "title"),
    model: pick(base, { local, remote, newer }, "model"),
    preset: pick(base, { local, remote, newer }, "preset"),
    sampling: pick(base, { local, remote, newer }, "sampling"),
  };
  return {
    chat: {
      ...newer,
      ...chosen,
      createdAtMs: Math.min(local.chat.createdAtMs, remote.chat.createdAtMs),
    },
    messages: mergeMessages(new Set(base?.ids), { local, remote }),
  };
}

type Field = "title" | "model" | "preset" | "sampling";

/** What one side changed wins over what the other left; of two changes, the one of the later chat. */
function pick<Name extends Field>(
  base: ChatBase,
  { local, remote, newer }: { local: WholeChat; remote: WholeChat; newer: WholeChat["chat"] },
  name: Name,
): WholeChat["chat"][Name] {
  if (isSame(local.chat[name], base[name])) return remote.chat[name];
  if (isSame(remote.chat[name], base[name])) return local.chat[name];
  return newer[name];
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function mergeMessages(
  before: ReadonlySet<string>,
  { local, remote }: { local: WholeChat; remote: WholeChat },
): ChatMessage[] {
  const ofRemote = new Map(remote.messages.map((message) => [message.id, message]));
  const merged: ChatMessage[] = [];
  for (const message of local.messages) {
    const other = ofRemote.get(message.id);
    ofRemote.delete(message.id);
    if (other !== undefined) merged.push(further(message, other));
    else if (!before.has(message.id)) merged.push(message);
  }
  merged.push(...[...ofRemote.values()].filter(({ id }) => !before.has(id)));
  return merged.sort((a, b) => a.order - b.order || (a.id < b.id ? -1 : 1));
}

/** Of two states of one message, the one that is nearer to its end. */
function further(a: ChatMessage, b: ChatMessage): ChatMessage {
  const nearer = rank[b.state] - rank[a.state] || b.text.length - a.text.length;
  return nearer > 0 ? b : a;
}

const rank: Record<MessageState, number> = { running: 0, interrupted: 1, stopped: 2, done: 3 };
