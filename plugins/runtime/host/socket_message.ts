// What a host and its clients say on /ws/plugins and /ws/plugins/:id, as JSON text messages.
// Callers: server/ws, the page's socket client.

import { z } from "zod";
import type { WireError } from "../contract/error.ts";
import type { Job } from "../contract/job.ts";
import {
  type EventTopic,
  eventTopics,
  type LogLine,
  type PluginTelemetry,
  type PluginView,
} from "./host.ts";

/** `jobs` are of no plugin: `pluginId` and `after` mean nothing there. */
export const socketTopics = [...eventTopics, "jobs"] as const;
export type SocketTopic = EventTopic | "jobs";

const pluginId = z.string().min(1).max(64);
const callId = z.union([z.string().min(1).max(100), z.int().min(0)]);

/** What a client sends. */
export const clientMessageSchema = z.discriminatedUnion("action", [
  z.object({
    action: z.literal("SUB"),
    topic: z.enum(socketTopics),
    /** Absent: every plugin. */
    pluginId: pluginId.optional(),
    /** Replays what is kept with a higher `seq`; absent: only what happens from now on. */
    after: z.int().min(0).optional(),
  }),
  z.object({
    action: z.literal("UNSUB"),
    topic: z.enum(socketTopics),
    pluginId: pluginId.optional(),
  }),
  z.object({
    action: z.literal("INVOKE"),
    /** Chosen by the client, unique among its running calls. */
    id: callId,
    capability: z.string().min(1).max(200),
    payload: z.unknown(),
  }),
  z.object({ action: z.literal("CANCEL"), id: callId }),
  /** Answered by `pong`: whether the other side is there. A browser shows no pings of the protocol's own. */
  z.object({ action: z.literal("PING") }),
]);

export type ClientMessage = z.infer<typeof clientMessageSchema>;
export type CallId = z.infer<typeof callId>;

/** What a host sends. Events carry the `seq` of the newest thing in them. */
export type ServerMessage =
  | { type: "bootstrap"; seq: number; payload: Bootstrap }
  | { type: "status"; seq: number; payload: { pluginId: string; plugin: PluginView } }
  | { type: "logs"; seq: number; payload: { pluginId: string; lines: LogLine[] } }
  | {
    type: "telemetry";
    seq: number;
    payload: { pluginId: string; atMs: number; telemetry: PluginTelemetry };
  }
  | { type: "jobs"; seq: number; payload: { job: Job } }
  /** Answers SUB, after what it replayed; `gap`: some of what was missed is not kept any more. */
  | { type: "subscribed"; payload: { topic: SocketTopic; pluginId?: string; gap: boolean } }
  | { type: "unsubscribed"; payload: { topic: SocketTopic; pluginId?: string } }
  | { type: "pong" }
  | { type: "chunk"; id: CallId; payload: unknown }
  | { type: "result"; id: CallId; payload: unknown }
  /** Without `id`: what the client sent could not be read. */
  | { type: "error"; id?: CallId; payload: WireError };

/** The first message: everything as it is now. On /ws/plugins/:id `plugins` holds that one. */
export interface Bootstrap {
  version: string;
  plugins: PluginView[];
}

/** Why the server ended a socket (RFC 6455: 4000 to 4999 are an application's own). */
export const socketClose = {
  /** Going away: the server stops; come back. */
  shutdown: { code: 1001, reason: "the server is shutting down" },
  tooBig: { code: 1009, reason: "a message may have 16 MiB" },
  /** Too many malformed messages. */
  malformed: { code: 4400, reason: "too many messages could not be read" },
  sessionEnded: { code: 4401, reason: "the session has ended" },
  tooSlow: { code: 4408, reason: "the client reads too slowly" },
} as const;
