// Reference: Deno's own WebSockets and a loop. A POST sends its body, with the time put in, to every socket.

const sockets = new Set<WebSocket>();
Deno.serve({
  port: 0,
  hostname: "127.0.0.1",
  onListen: ({ port }) => console.log(JSON.stringify({ port })),
}, async (request) => {
  if (request.method === "POST") {
    const body = await request.text();
    const emittedAtMs = Number(Temporal.Now.instant().epochNanoseconds / 1000n) / 1000;
    const text = body.replace("<now>", `emitted at ${emittedAtMs}`);
    for (const socket of sockets) socket.send(text);
    return new Response();
  }
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.onopen = () => sockets.add(socket);
  socket.onclose = () => sockets.delete(socket);
  return response;
});
