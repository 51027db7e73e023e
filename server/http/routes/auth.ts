// /auth: how a person becomes a bearer, stays one and ends being one. Whatever answers a token is stored nowhere.

import type { Hono } from "hono";
import { z } from "zod";
import type { Identity } from "../../auth/authenticator.ts";
import { requireScopes } from "../../auth/guarded_accounts.ts";
import { limitsSchema } from "../../auth/limits.ts";
import { toPrincipalView } from "../../auth/principal_view.ts";
import type { Visitor } from "../../auth/sign_in.ts";
import { signInUrl } from "../../auth/sign_in_url.ts";
import { operation } from "../operation.ts";
import { json, secretJson } from "../reply.ts";
import type { HttpEnv, RequestScope, RouteDeps } from "../services.ts";
import { validate } from "../validate.ts";

export function authRoutes(hono: Hono<HttpEnv>, deps: RouteDeps): void {
  const { signIn, body, config, audit } = deps;
  hono.get(
    "/auth/me",
    operation({
      id: "getMe",
      summary: "Who the bearer of this request is, and what limits it",
      tag: "auth",
      scope: "any",
      output: meSchema,
    }),
    ({ env }) => {
      const { credential, allowances: limits } = identityOf(env);
      return json(env, { principal: toPrincipalView(identityOf(env)), credential, limits });
    },
  );
  if (signIn === undefined) return;

  /** Notes what the caller did to his own account. */
  const note = (env: RequestScope, action: string, object: string) => {
    const { principal, clientAddress: address } = env;
    audit.record({ principal, address, action, object, outcome: "ok" });
  };

  hono.get(
    "/auth/status",
    operation({
      id: "getSignInStatus",
      summary: "Whether anybody can sign in with a password, and whether an admin can",
      tag: "auth",
      open: true,
      output: z.object({ password: z.boolean(), signedUp: z.boolean() }),
    }),
    async (context) => json(context.env, await signIn.status()),
  );
  hono.post(
    "/auth/login",
    operation({
      id: "signIn",
      summary: "Begins a session: by a single-use code, a name and a password, or an invitation",
      description: "The access token is valid for 15 minutes, its session for 30 days from the " +
        "last refresh and at most a year",
      tag: "auth",
      open: true,
      input: loginSchema,
      output: tokensSchema,
    }),
    async (context) => {
      const { env, req } = context;
      const given = await body.json(req.raw);
      const visitor = visitorOf(env, req.raw);
      if (has(given, "invitation")) {
        const { invitation, password } = validate(invitationLogin, given);
        return secretJson(env, await signIn.withInvitation(invitation, password, visitor));
      }
      if (has(given, "name")) {
        const { name, password } = validate(passwordLogin, given);
        return secretJson(env, await signIn.withPassword(name, password, visitor));
      }
      const { code } = validate(codeLogin, given);
      return secretJson(env, await signIn.withCode(code, visitor));
    },
  );
  hono.post(
    "/auth/refresh",
    operation({
      id: "refreshSession",
      summary: "Exchanges a refresh token, which is good for one exchange, for new tokens",
      description: "One that was exchanged before ends its session: somebody else has it",
      tag: "auth",
      open: true,
      input: refreshSchema,
      output: tokensSchema,
    }),
    async ({ env, req }) => {
      const { refreshToken } = validate(refreshSchema, await body.json(req.raw));
      return secretJson(env, await signIn.refresh(refreshToken, visitorOf(env, req.raw)));
    },
  );
  hono.post(
    "/auth/logout",
    operation({
      id: "signOut",
      summary: "Ends the session of this bearer, and its streams; keys are left alone",
      tag: "auth",
      scope: "any",
      output: z.object({}),
    }),
    async ({ env }) => {
      const identity = identityOf(env);
      await signIn.signOut(identity);
      if (identity.credential.kind === "session") {
        note(env, "session.end", `session:${identity.credential.id}`);
      }
      return json(env, {});
    },
  );
  hono.post(
    "/auth/password",
    operation({
      id: "changePassword",
      summary: "Sets one's own password; the other sessions end",
      description: '"current" is needed when there is a password; API keys may not do this',
      tag: "auth",
      scope: "account",
      input: passwordChange,
      output: z.object({}),
    }),
    async ({ env, req }) => {
      const identity = identityOf(env);
      await signIn.changePassword(identity, validate(passwordChange, await body.json(req.raw)));
      note(env, "password.change", `user:${identity.id}`);
      return json(env, {});
    },
  );
  hono.get(
    "/auth/sessions",
    operation({
      id: "listSessions",
      summary: "One's own sessions, the one used last first",
      tag: "auth",
      scope: "account",
      output: z.object({ sessions: z.array(sessionSchema) }),
    }),
    async ({ env }) => json(env, { sessions: await signIn.sessions(identityOf(env)) }),
  );
  hono.delete(
    "/auth/sessions/:id",
    operation({
      id: "endSession",
      summary: "Ends one of one's own sessions, and its streams",
      tag: "auth",
      scope: "account",
      output: z.object({}),
    }),
    async ({ env, req }) => {
      const id = req.param("id");
      await signIn.endSession(identityOf(env), id);
      note(env, "session.end", `session:${id}`);
      return json(env, {});
    },
  );
  hono.post(
    "/auth/codes",
    operation({
      id: "createSignInCode",
      summary: "Makes a code, and a link with it, for one sign-in as the local operator",
      description: "Valid for 15 minutes. Only for who may do everything",
      tag: "auth",
      scope: "users:manage",
      output: codeSchema,
    }),
    ({ env }) => {
      // It signs in as an admin, whoever asked.
      requireScopes(identityOf(env), ["*"]);
      const { code, expiresAtMs } = signIn.createCode();
      note(env, "code.create", "user:operator");
      const url = signInUrl(config.publicUrl ?? env.origin, code);
      return secretJson(env, { code, url, expiresAtMs });
    },
  );
  hono.get(
    "/.well-known/jwks.json",
    operation({
      id: "getSigningKeys",
      summary: "Public keys that access tokens are signed with (RFC 7517)",
      tag: "auth",
      open: true,
      output: z.object({ keys: z.array(z.record(z.string(), z.unknown())) }),
    }),
    async (context) => json(context.env, await signIn.jwks()),
  );
}

/** The gate let nobody through without one. */
function identityOf({ principal }: RequestScope): Identity {
  if (principal === undefined) throw new Error("the gate asks for a credential");
  return principal;
}

function visitorOf({ clientAddress: address }: RequestScope, { headers }: Request): Visitor {
  return { address, client: (headers.get("user-agent") ?? "").slice(0, 200) };
}

function has(value: unknown, field: string): boolean {
  return typeof value === "object" && value !== null && Object.hasOwn(value, field);
}

const password = z.string().min(1).max(200);
const codeLogin = z.strictObject({ code: z.string().min(1).max(200) });
const passwordLogin = z.strictObject({ name: z.string().min(1).max(200), password });
const invitationLogin = z.strictObject({ invitation: z.string().min(1).max(200), password });
const loginSchema = z.union([codeLogin, passwordLogin, invitationLogin]);
const refreshSchema = z.strictObject({ refreshToken: z.string().min(1).max(200) });
const passwordChange = z.strictObject({ current: password.optional(), next: password });

const milliseconds = z.number().meta({ description: "ms since the epoch" });

const principalSchema = z.object({
  id: z.string(),
  name: z.string(),
  role: z.string(),
  scopes: z.array(z.string()).meta({ description: "what this credential may do" }),
}).meta({ id: "Principal" });

const meSchema = z.object({
  principal: principalSchema,
  credential: z.object({
    kind: z.enum(["operator", "session", "key"]),
    id: z.string().optional(),
  }),
  limits: z.array(z.object({ subject: z.string(), limits: limitsSchema })),
});

const tokensSchema = z.object({
  token: z.string().meta({ description: "access token: the bearer" }),
  expiresAtMs: milliseconds,
  refreshToken: z.string().meta({ description: "bkg_refresh_..." }),
  sessionExpiresAtMs: milliseconds,
  principal: principalSchema,
}).meta({ id: "Tokens" });

const sessionSchema = z.object({
  id: z.string(),
  client: z.string(),
  address: z.string(),
  createdAtMs: milliseconds,
  refreshedAtMs: milliseconds,
  expiresAtMs: milliseconds,
  current: z.boolean(),
}).meta({ id: "Session" });

const codeSchema = z.object({
  code: z.string(),
  url: z.string().meta({ description: "the page, with the code in its fragment" }),
  expiresAtMs: milliseconds,
}).meta({ id: "SignInCode" });
