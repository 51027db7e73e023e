// Reference: a child process whose Worker, without permissions, says one word.

const source = "self.postMessage('ready');";
const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
const worker = new Worker(url, { type: "module", deno: { permissions: "none" } });
worker.onmessage = () => console.log("ready");
setTimeout(() => {}, 60_000);
