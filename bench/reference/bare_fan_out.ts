// Reference: Deno's own WebSockets and a loop. A POST sends its body to every socket.

const sockets = new Set<WebSocket>();
Deno.serve({
  port: 0,
  hostname: "127.0.0.1",
  onListen: ({ port }) => console.log(JSON.stringify({ port })),
}, async (request) => {
  if (request.method === "POST") {
    const text = await request.text();
    for (const socket of sockets) socket.send(text);
    return new Response();
  }
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.onopen = () => sockets.add(socket);
  socket.onclose = () => sockets.delete(socket);
  return response;
});
