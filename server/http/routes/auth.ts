// /auth: a single-use code becomes a session, and a session ends. The code comes from whoever has a bearer already.

import type { Hono } from "hono";
import { z } from "zod";
import { signInUrl } from "../../auth/sign_in_url.ts";
import { operation } from "../operation.ts";
import { json } from "../reply.ts";
import type { HttpEnv, RouteDeps } from "../services.ts";
import { validate } from "../validate.ts";

export function authRoutes(hono: Hono<HttpEnv>, deps: RouteDeps): void {
  const { signIn, body, config } = deps;
  hono.get(
    "/auth/me",
    operation({
      id: "getMe",
      summary: "Who the bearer of this request is",
      tag: "auth",
      output: z.object({ principal: principalSchema }),
    }),
    (context) => json(context.env, { principal: context.env.principal }),
  );
  if (signIn === undefined) return;
  hono.post(
    "/auth/login",
    operation({
      id: "signIn",
      summary: "Exchanges a single-use code for the bearer of a session",
      description: "The bearer is valid for 30 days, or until it signs out",
      tag: "auth",
      open: true,
      input: loginSchema,
      output: sessionSchema,
    }),
    async (context) => {
      const { code } = validate(loginSchema, await body.json(context.req.raw));
      return secret(json(context.env, await signIn.exchange(code)));
    },
  );
  hono.post(
    "/auth/logout",
    operation({
      id: "signOut",
      summary: "Ends the session of this bearer, and its streams; the operator's key is left alone",
      tag: "auth",
      output: z.object({}),
    }),
    async (context) => {
      await signIn.signOut(context.env.bearer!);
      return json(context.env, {});
    },
  );
  hono.post(
    "/auth/codes",
    operation({
      id: "createSignInCode",
      summary: "Makes a code, and a link with it, for one sign-in within 15 minutes",
      tag: "auth",
      output: codeSchema,
    }),
    (context) => {
      const { code, expiresAtMs } = signIn.createCode(context.env.principal!);
      const url = signInUrl(config.publicUrl ?? new URL(context.req.url).origin, code);
      return secret(json(context.env, { code, url, expiresAtMs }));
    },
  );
}

function secret(response: Response): Response {
  response.headers.set("cache-control", "no-store");
  return response;
}

const loginSchema = z.strictObject({ code: z.string().min(1).max(200) });

const principalSchema = z.object({
  id: z.string(),
  role: z.enum(["admin", "operator", "user"]),
}).meta({ id: "Principal" });

const sessionSchema = z.object({
  token: z.string().meta({ description: "bkg_session_..." }),
  expiresAtMs: z.number().meta({ description: "ms since the epoch" }),
  principal: principalSchema,
}).meta({ id: "Session" });

const codeSchema = z.object({
  code: z.string(),
  url: z.string().meta({ description: "the page, with the code in its fragment" }),
  expiresAtMs: z.number().meta({ description: "ms since the epoch" }),
}).meta({ id: "SignInCode" });
