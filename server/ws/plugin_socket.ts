// One connection on /ws/plugins: reads what its client sends, and owns its subscriptions and its calls.
// When it ends, whoever ended it, all of them end.

import { AppError, toAppError } from "../../plugins/runtime/contract/error.ts";
import {
  type ClientMessage,
  clientMessageSchema,
  type ServerMessage,
  socketClose,
  type SocketTopic,
} from "../../plugins/runtime/host/socket_message.ts";
import type { Identity } from "../auth/authenticator.ts";
import type { GuardedBus } from "../auth/guarded_bus.ts";
import { maySeeJob } from "../auth/job_access.ts";
import { forbidden, type Scope } from "../auth/scopes.ts";
import { toJsonText } from "../http/json_text.ts";
import type { PluginFace, SocketLimits } from "../http/services.ts";
import type { Logger } from "../log.ts";
import type { EventFanOut } from "./event_fan_out.ts";
import { Invocations } from "./invocations.ts";
import type { JobFanOut } from "./job_fan_out.ts";
import { Outbox } from "./outbox.ts";
import { Subscriptions } from "./subscriptions.ts";

export type CloseReason = typeof socketClose[keyof typeof socketClose];

export interface PluginSocketDeps {
  host: PluginFace;
  bus: GuardedBus;
  fanOut: EventFanOut;
  jobFanOut: JobFanOut;
  principal: Identity;
  /** On /ws/plugins/:id that plugin. */
  pluginId: string | undefined;
  version: string;
  limits: SocketLimits;
  log: Logger;
  /** Monotonic, ms. */
  now: () => number;
  /** Called once, when this socket takes and sends nothing any more. */
  onEnd: () => void;
}

export class PluginSocket {
  readonly #socket: WebSocket;
  readonly #deps: PluginSocketDeps;
  readonly #outbox: Outbox;
  readonly #subscriptions: Subscriptions;
  readonly #invocations: Invocations;
  /** When messages could not be read, the last minute's. */
  #malformedAtMs: number[] = [];
  #endedWith: CloseReason | "client" | undefined;

  /** `socket` may be connecting still. */
  constructor(socket: WebSocket, deps: PluginSocketDeps) {
    const { host, bus, fanOut, jobFanOut, principal, pluginId, limits, log } = deps;
    const send = (message: ServerMessage) => this.#send(message);
    this.#socket = socket;
    this.#deps = deps;
    this.#outbox = new Outbox(socket, {
      maxQueuedChars: limits.maxQueuedBytes,
      tooSlow: () => this.end(socketClose.tooSlow),
    });
    const outbox = this.#outbox;
    this.#subscriptions = new Subscriptions({
      host,
      fanOut,
      jobFanOut,
      maySeeJob: (job) => maySeeJob(principal, job),
      outbox,
      send,
      maxSubscriptions: limits.maxSubscriptions,
    });
    this.#invocations = new Invocations({
      bus,
      principal,
      pluginId,
      outbox,
      send,
      maxRunning: limits.maxRunning,
      log,
    });
    socket.onopen = () => this.#open();
    socket.onmessage = ({ data }) => this.#receive(data);
  }

  /** Ends it now; `client`: the connection is gone already. */
  end(reason: CloseReason | "client"): void {
    if (this.#endedWith !== undefined) return;
    this.#endedWith = reason;
    this.#outbox.end();
    this.#subscriptions.clear();
    this.#invocations.abortAll();
    // One that is connecting is closed when it is open.
    if (reason !== "client" && this.#socket.readyState === WebSocket.OPEN) this.#close(reason);
    this.#deps.onEnd();
  }

  /** Ends it when the client has read nothing since the last time. */
  checkProgress(): void {
    this.#outbox.checkProgress();
  }

  get endedWith(): CloseReason | "client" | undefined {
    return this.#endedWith;
  }

  #open(): void {
    if (this.#endedWith !== undefined) {
      if (this.#endedWith !== "client") this.#close(this.#endedWith);
      return;
    }
    const { host, principal, pluginId, version } = this.#deps;
    const plugins = !principal.scopes.allows("plugins:read")
      ? []
      : pluginId === undefined
      ? host.list()
      : [host.get(pluginId)];
    this.#send({ type: "bootstrap", seq: host.lastSeq, payload: { version, plugins } });
  }

  #receive(data: unknown): void {
    if (this.#endedWith !== undefined) return;
    if (typeof data !== "string") {
      return this.#refuse(new AppError("INVALID_INPUT", "Send JSON as text: this frame is binary"));
    }
    if (data.length > this.#deps.limits.maxMessageBytes) return this.end(socketClose.tooBig);
    let message: ClientMessage;
    try {
      message = parseMessage(data);
    } catch (thrown) {
      return this.#refuse(toAppError(thrown));
    }
    try {
      this.#obey(message);
    } catch (thrown) {
      const payload = toAppError(thrown).toWire();
      this.#send(
        message.action === "INVOKE"
          ? { type: "error", id: message.id, payload }
          : { type: "error", payload },
      );
    }
  }

  #obey(message: ClientMessage): void {
    switch (message.action) {
      case "SUB": {
        this.#require(topicScopes[message.topic]);
        const pluginId = this.#pluginOf(message);
        return this.#subscriptions.add(message.topic, pluginId, message.after);
      }
      case "UNSUB": {
        const { topic } = message;
        this.#require(topicScopes[topic]);
        const pluginId = this.#pluginOf(message);
        this.#subscriptions.remove(topic, pluginId);
        const payload = pluginId === undefined ? { topic } : { topic, pluginId };
        return this.#send({ type: "unsubscribed", payload });
      }
      case "INVOKE":
        return this.#invocations.start(message);
      case "CANCEL":
        return this.#invocations.cancel(message.id);
      case "PING":
        return this.#send({ type: "pong" });
      default:
        return message satisfies never;
    }
  }

  /** Asked for each message; what ends the credential ends the socket. */
  #require(scope: Scope): void {
    if (!this.#deps.principal.scopes.allows(scope)) throw forbidden(scope);
  }

  #pluginOf(
    { topic, pluginId: asked }: { topic: SocketTopic; pluginId?: string | undefined },
  ): string | undefined {
    const { host, pluginId: own } = this.#deps;
    if (topic === "jobs") return undefined;
    if (asked === undefined || asked === own) return own;
    if (own !== undefined) {
      throw new AppError("FORBIDDEN", `This socket is for plugin "${own}" alone`);
    }
    return host.get(asked).id;
  }

  #refuse(error: AppError): void {
    this.#send({ type: "error", payload: error.toWire() });
    const nowMs = this.#deps.now();
    this.#malformedAtMs = this.#malformedAtMs.filter((atMs) => nowMs - atMs < 60_000);
    this.#malformedAtMs.push(nowMs);
    if (this.#malformedAtMs.length >= maxMalformed) this.end(socketClose.malformed);
  }

  #send(message: ServerMessage): void {
    if (this.#endedWith === undefined) this.#outbox.send(toJsonText(message));
  }

  #close({ code, reason }: CloseReason): void {
    this.#socket.close(code, reason);
  }
}

const topicScopes: Record<SocketTopic, Scope> = {
  status: "plugins:read",
  telemetry: "plugins:read",
  logs: "logs:read",
  jobs: "models:read",
};

/** Malformed messages within a minute that end a socket. */
const maxMalformed = 20;

function parseMessage(text: string): ClientMessage {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new AppError("INVALID_INPUT", "The message is not JSON");
  }
  const parsed = clientMessageSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.slice(0, 20).map(({ path, message }) => ({
    path: path.map((part) => `/${String(part)}`).join(""),
    message,
  }));
  const [first] = issues;
  throw new AppError(
    "INVALID_INPUT",
    `The message is not valid at "${first?.path ?? ""}": ${first?.message ?? ""}`,
    { details: { issues } },
  );
}
