// Who calls: the one interface that HTTP, WebSocket and MCP ask. Accounts and API keys replace what is behind it.

import type { Principal } from "../../plugins/runtime/host/host.ts";

export interface Authenticator {
  /** The principal of a bearer credential; throws UNAUTHENTICATED, with the same message for each reason. */
  authenticate(bearer: string | undefined): Principal;
}
