// What a WebSocket client offers as subprotocols. A browser cannot set Authorization on a WebSocket, and a URL is
// logged by everyone on its way, so the key comes as `bearer.<key>` beside `bkg`, which alone is selected.

export interface Offer {
  protocols: string[];
  bearer: string | undefined;
}

export function readOffer(headers: Headers): Offer {
  const header = headers.get("sec-websocket-protocol");
  if (header === null) return { protocols: [], bearer: undefined };
  const protocols = header.split(",").map((protocol) => protocol.trim());
  const bearer = protocols.find((protocol) => protocol.startsWith(prefix))?.slice(prefix.length);
  return { protocols, bearer };
}

const prefix = "bearer.";
