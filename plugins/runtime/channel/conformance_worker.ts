// The far side of the conformance suite in a Worker.

import type { Channel } from "./channel.ts";
import { answerConformance } from "./conformance.ts";
import { createChannel } from "./peer_channel.ts";
import { createWorkerPort, type PostTarget } from "./worker_port.ts";

declare const self: PostTarget & { postMessage(value: unknown): void };

const channel: Channel = createChannel(createWorkerPort(self, "test"), {
  handler: answerConformance(() => channel),
});
self.postMessage("ready");
