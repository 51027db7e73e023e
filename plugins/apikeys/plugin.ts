// API keys and sign-in as capabilities: each is one question to the server, answered for who calls. Nothing is kept
// here, so that a stopped plugin changes nothing about who may sign in.

import { definePlugin } from "@bkg/plugin";
import type { NewKeyInput } from "@bkg/plugin";

export default definePlugin({
  capabilities: {
    "auth.login": (input: { name: string; password: string }, { ctx }) => ctx.auth.login(input),
    "auth.createKey": (input: NewKeyInput, { ctx }) => ctx.auth.createKey(input),
    "auth.revokeKey": (input: { id: string }, { ctx }) => ctx.auth.revokeKey(input),
    "auth.listKeys": (input: { limit?: number; after?: string }, { ctx }) =>
      ctx.auth.listKeys(input),
    "auth.validate": (input: { key: string }, { ctx }) => ctx.auth.validate(input),
  },
});
