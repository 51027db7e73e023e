// The service "auth" of plugins: accounts as who calls the plugin may use them. Caller: the broker, which knows whose
// call it is; what the plugin says is parsed like any client's text.

import { z } from "zod";
import type {
  AuthMethod,
  AuthService,
  KeySummary,
} from "../../plugins/runtime/contract/auth_service.ts";
import { AppError, toAppError } from "../../plugins/runtime/contract/error.ts";
import type { AuthHost } from "../../plugins/runtime/host/broker.ts";
import type { Principal } from "../../plugins/runtime/host/host.ts";
import { newKeySchema } from "../auth/account_input.ts";
import type { Accounts } from "../auth/accounts.ts";
import type { ApiKeys, KeyView } from "../auth/api_keys.ts";
import type { Authenticator, Identity } from "../auth/authenticator.ts";
import { guardKeys } from "../auth/guarded_keys.ts";
import { parseKey } from "../auth/key_format.ts";
import { toPrincipalView } from "../auth/principal_view.ts";
import { forbidden } from "../auth/scopes.ts";
import type { SignIn } from "../auth/sign_in.ts";
import { type AuditLog, recordOutcome } from "./audit_log.ts";

export interface AuthHostDeps {
  accounts: Accounts;
  apiKeys: ApiKeys;
  auth: Pick<Authenticator, "authenticate">;
  signIn: Pick<SignIn, "withPassword">;
  audit: Pick<AuditLog, "record">;
}

export function createAuthHost(deps: AuthHostDeps): AuthHost {
  const { accounts, apiKeys, auth, signIn, audit } = deps;

  function serviceFor(acting: Identity): { [Name in AuthMethod]: (input: unknown) => unknown } {
    const owner = { userId: acting.id };
    // Behind a plugin nobody has an address.
    const by = { principal: acting, address: "" };
    const keys = guardKeys({ keys: apiKeys, accounts }, acting);
    return {
      async login(input) {
        const { name, password } = parse(loginSchema, input);
        try {
          // Guesses are counted by who makes them.
          const visitor = { address: `user:${acting.id}`, client: "A plugin" };
          return await signIn.withPassword(name, password, visitor);
        } catch (error) {
          if (toAppError(error).code !== "UNAUTHENTICATED") throw error;
          // The caller's own credential is as good as before.
          throw new AppError("FORBIDDEN", "The name or the password is wrong", { cause: error });
        }
      },
      async createKey(input) {
        const key = parse(newKeySchema, input);
        const made = await recordOutcome(audit, by, {
          action: "key.create",
          object: (made) => made === undefined ? `key of user:${acting.id}` : `key:${made.view.id}`,
          run: () => keys.create({ ...owner, ...key }),
        });
        return { key: made.key, view: toSummary(made.view) };
      },
      async revokeKey(input) {
        const { id } = parse(idSchema, input);
        await recordOutcome(audit, by, {
          action: "key.revoke",
          object: () => `key:${id}`,
          run: () => keys.revoke(owner, id),
        });
        return {};
      },
      async listKeys(input) {
        const { keys: views, next } = await keys.list(owner, parse(pageSchema, input));
        return { keys: views.map(toSummary), ...(next === undefined ? {} : { next }) };
      },
      async validate(input) {
        const { key } = parse(keySchema, input);
        const parts = parseKey(key);
        // Nothing is told of other credentials, nor of what was an API key once.
        if (parts === undefined) return { valid: false };
        try {
          const identity = await auth.authenticate(key);
          const { expiresAtMs } = await apiKeys.get({ userId: identity.id }, parts.id);
          const { id, name, role, scopes } = toPrincipalView(identity);
          return {
            valid: true,
            principal: { id, name, role },
            scopes,
            ...(expiresAtMs === null ? {} : { expiresAtMs }),
          };
        } catch (error) {
          const { code } = toAppError(error);
          if (code === "UNAUTHENTICATED" || code === "NOT_FOUND") return { valid: false };
          throw error;
        }
      },
    } satisfies { [Name in AuthMethod]: (input: unknown) => ReturnType<AuthService[Name]> };
  }

  return {
    async call(method, input, principal) {
      if (!isIdentity(principal) || !principal.scopes.allows("account")) throw forbidden("account");
      return await serviceFor(principal)[method](input);
    },
  };
}

const loginSchema = z.strictObject({
  name: z.string().min(1).max(200),
  password: z.string().max(1000),
});
const idSchema = z.strictObject({ id: z.string().min(1).max(64) });
const keySchema = z.strictObject({ key: z.string().min(1).max(200) });
const pageSchema = z.strictObject({
  limit: z.int().min(1).max(200).optional(),
  after: z.string().max(500).optional(),
});

/** A plugin that calls another is a principal without credentials: it has no account. */
function isIdentity(principal: Principal): principal is Identity {
  return "credential" in principal && "scopes" in principal;
}

function parse<Schema extends z.ZodType>(schema: Schema, input: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => ({
    path: path.map((part) => `/${String(part)}`).join(""),
    message,
  }));
  const text = issues.map(({ path, message }) => `${path || "(root)"}: ${message}`).join("; ");
  throw new AppError("INVALID_INPUT", `The input is not valid: ${text.slice(0, 1000)}`, {
    details: { issues: issues.slice(0, 20) },
  });
}

function toSummary({ userId: _, userName: __, ...key }: KeyView): KeySummary {
  return key;
}
