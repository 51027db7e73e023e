// Chats under the day on which they were last used.

import type { Chat } from "../stores/chat.ts";

/** Keeps the order; days without a chat are left out. */
export function groupByDay(
  chats: readonly Chat[],
  nowMs: number,
): { day: string; chats: Chat[] }[] {
  const today = startOfDay(nowMs);
  const groups: { day: string; chats: Chat[] }[] = [];
  for (const chat of chats) {
    const ageDays = Math.round((today - startOfDay(chat.updatedAtMs)) / dayMs);
    const day = ageDays <= 0
      ? "Today"
      : ageDays === 1
      ? "Yesterday"
      : ageDays < 7
      ? "Last 7 days"
      : ageDays < 30
      ? "Last 30 days"
      : "Older";
    const last = groups.at(-1);
    if (last?.day === day) last.chats.push(chat);
    else groups.push({ day, chats: [chat] });
  }
  return groups;
}

function startOfDay(atMs: number): number {
  return new Date(atMs).setHours(0, 0, 0, 0);
}

const dayMs = 86_400_000;
