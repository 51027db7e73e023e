// People with chosen scopes in front of the test app: each is signed in by the name alone.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { App } from "../app.ts";
import type { Authenticator } from "../auth/authenticator.ts";
import { createScopes } from "../auth/scopes.ts";

/** Bearers are the names; each is the id of a user too. */
export function identityAuthenticator(
  people: Readonly<Record<string, readonly string[]>>,
): Authenticator {
  const identities = new Map(
    Object.entries(people).map(([id, scopes]) => [id, {
      id,
      name: id,
      role: "user" as const,
      scopes: createScopes(scopes),
      credential: { kind: "session" as const, id },
      allowances: [],
    }]),
  );
  return {
    authenticate(bearer = "") {
      const identity = identities.get(bearer);
      if (identity === undefined) throw new AppError("UNAUTHENTICATED", "Nobody has this key");
      return identity;
    },
    watch: () => () => {},
  };
}

/** `request` such as "GET /api/chats"; `body` is sent as JSON, or as it is when it is `{ text }`. */
export async function askAs(
  app: App,
  user: string,
  request: string,
  body?: unknown,
  // deno-lint-ignore no-explicit-any
): Promise<{ status: number; headers: Headers; body: any }> {
  const [method = "GET", path = "/"] = request.split(" ");
  const response = await app.fetch(
    new Request(`http://localhost${path}`, {
      method,
      headers: { authorization: `Bearer ${user}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: isText(body) ? body.text : JSON.stringify(body) }),
    }),
  );
  return { status: response.status, headers: response.headers, body: await response.json() };
}

function isText(body: unknown): body is { text: string } {
  return typeof body === "object" && body !== null && Object.keys(body).join() === "text";
}
