// An authenticator that knows the operator's key and nothing else, for tests without a database.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { Authenticator } from "../auth/authenticator.ts";
import { createOperatorLookUp } from "../auth/operator_key.ts";

export function createOperatorAuthenticator(token: string): Authenticator {
  const find = createOperatorLookUp(token);
  return {
    authenticate(bearer) {
      const identity = find(bearer ?? "");
      if (identity !== undefined) return identity;
      throw new AppError("UNAUTHENTICATED", "Send a valid key as 'Authorization: Bearer <key>'");
    },
    watch: () => () => {},
  };
}
