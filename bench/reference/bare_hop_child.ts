// The child of bare_hop.ts: hands each message to its Worker and the answer back.

import process from "node:process";

const source =
  "self.onmessage = ({ data }) => self.postMessage(data); self.postMessage({ ready: true });";
const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
const worker = new Worker(url, { type: "module", deno: { permissions: "none" } });
worker.onmessage = ({ data }) => process.send?.(data);
process.on("disconnect", () => process.exit());
process.on("message", (message) => worker.postMessage(message));
