// The door through which one cell comes in: a unix socket in its private folder (TCP on Windows).
// It opens once, for the process that knows the token.

import { join } from "node:path";
import type { CellAddress } from "./start_order.ts";

export interface CellDoor {
  readonly address: CellAddress;
  readonly token: string;
  accept(): Promise<Deno.Conn>;
  close(): void;
}

export function listenForCell(folder: string, token: string): CellDoor {
  const { listener, address } = open(folder);
  let closed = false;
  const close = () => {
    if (closed) return;
    closed = true;
    listener.close();
  };
  return { address, token, accept: () => listener.accept(), close };
}

function open(folder: string): { listener: Deno.Listener; address: CellAddress } {
  if (Deno.build.os === "windows") {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    return { listener, address: { transport: "tcp", hostname: "127.0.0.1", port } };
  }
  const address = { transport: "unix", path: join(folder, "cell.sock") } as const;
  return { listener: Deno.listen(address), address };
}
