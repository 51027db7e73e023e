// The far side of the conformance suite in a Worker.

import type { Channel } from "./channel.ts";
import { answerConformance } from "./conformance.ts";
import { createChannel } from "./peer_channel.ts";
import { createWorkerPort } from "./worker_port.ts";

declare const self: DedicatedWorkerGlobalScope;

const channel: Channel = createChannel(createWorkerPort(self, "test"), {
  handler: answerConformance(() => channel),
});
self.postMessage("ready");
