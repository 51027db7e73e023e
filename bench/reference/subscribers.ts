// Many WebSocket clients in a process of their own. The first line of its input tells where and what; each further
// one causes an event, whose text says when it was emitted. It prints "ready", and then, for each event that all
// have got, how long that took each, ms.

export interface SubscribersTask {
  url: string;
  protocols: string[];
  count: number;
  /** The request that causes an event. */
  emit: { url: string; headers: Record<string, string>; body: string };
}

const input = Deno.stdin.readable.pipeThrough(new TextDecoderStream()).getReader();
const { url, protocols, count, emit }: SubscribersTask = JSON.parse((await input.read()).value!);
let delaysMs: number[] = [];
let subscribed = 0;
const ready = Promise.withResolvers<void>();
const started = () => {
  if (++subscribed === count) ready.resolve();
};
const sockets: WebSocket[] = [];
for (let index = 0; index < count; index++) {
  const socket = new WebSocket(url, protocols);
  sockets.push(socket);
  socket.onmessage = ({ data }: MessageEvent<string>) => {
    if (data.startsWith('{"type":"logs"')) {
      delaysMs.push(nowMs() - Number(/emitted at ([\d.]+)/.exec(data)?.[1]));
      if (delaysMs.length === count) console.log(JSON.stringify(delaysMs));
    } else if (data.startsWith('{"type":"subscribed"')) started();
  };
  socket.onerror = () => Deno.exit(1);
  await new Promise((resolve) => socket.onopen = resolve);
  if (protocols.length === 0) started();
  else socket.send(JSON.stringify({ action: "SUB", topic: "logs" }));
}
await ready.promise;
console.log("ready");
while (!(await input.read()).done) {
  delaysMs = [];
  const { headers, body } = emit;
  const response = await fetch(emit.url, { method: "POST", headers, body });
  await response.body?.cancel();
  if (!response.ok) Deno.exit(1);
}
Deno.exit(0);

/** The system's clock, which processes share, in fractions of a millisecond. */
function nowMs(): number {
  return Number(Temporal.Now.instant().epochNanoseconds / 1000n) / 1000;
}
