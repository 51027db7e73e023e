// /api/chats: one's own conversations. What a chat holds is the page's; this server keeps it and gives it back.

import type { Context, Hono } from "hono";
import { z } from "zod";
import { AppError } from "../../../plugins/runtime/contract/error.ts";
import { chatLimits, type ChatStore, type StoredChat } from "../../services/chat_store.ts";
import { issueText } from "../issue_text.ts";
import { operation } from "../operation.ts";
import { json, plainHeaders } from "../reply.ts";
import type { HttpEnv, RouteDeps } from "../services.ts";
import { validate } from "../validate.ts";

export function chatRoutes(hono: Hono<HttpEnv>, { chats, body }: RouteDeps): void {
  if (chats === undefined) return;
  hono.get(
    "/api/chats",
    operation({
      id: "listChats",
      summary: "One's own chats, oldest change first; with a cursor, what changed since",
      description:
        "The cursor of the last page tells what changed later: chats that were deleted " +
        "are told for 90 days. A page ends early when its contents pass 8 MiB.",
      tag: "own",
      scope: "account",
      query: [
        { name: "after", description: "the cursor of an earlier page", schema: cursorSchema },
        { name: "limit", description: "how many chats", schema: limitSchema },
        { name: "content", description: "whether with what they hold", schema: flagSchema },
      ],
      output: z.object({
        chats: z.array(changeSchema),
        cursor: z.string(),
        next: z.string().optional().meta({ description: "the cursor, when there is more" }),
      }),
    }),
    async (context) => {
      const { after, limit, content } = readQuery(context);
      const page = await chats.changes(userOf(context), { after, limit, withContent: content });
      const { chats: list, ...place } = page;
      const text = `{"chats":[${list.map(chatText).join(",")}],${JSON.stringify(place).slice(1)}`;
      return new Response(text, { headers: plainHeaders(context.env, "application/json") });
    },
  );
  // Before ":id", which it is not: an id is longer.
  hono.get(
    "/api/chats/export",
    operation({
      id: "exportChats",
      summary: "All of one's own chats in one file",
      tag: "own",
      scope: "account",
      output: z.object({ format: z.literal("bkg-chats"), chats: z.array(chatSchema) }),
    }),
    (context) =>
      new Response(exportOf(chats, userOf(context)), {
        headers: {
          ...plainHeaders(context.env, "application/json"),
          "content-disposition": 'attachment; filename="bkg-chats.json"',
        },
      }),
  );
  hono.get(
    "/api/chats/:id",
    operation({
      id: "getChat",
      summary: "One chat",
      tag: "own",
      scope: "account",
      output: chatSchema,
    }),
    async (context) => {
      const text = chatText(await chats.get(userOf(context), idOf(context)));
      return new Response(text, { headers: plainHeaders(context.env, "application/json") });
    },
  );
  hono.put(
    "/api/chats/:id",
    operation({
      id: "putChat",
      summary: "Stores a chat whole",
      description:
        "`version` is the one that the change builds on, 0 for a new chat. When the chat " +
        "was changed elsewhere since: 409, with that chat in the details.",
      tag: "own",
      scope: "account",
      input: putSchema,
      output: headSchema,
    }),
    async (context) => {
      const id = idOf(context);
      const { content, ...chat } = validate(putSchema, await body.json(context.req.raw));
      return json(
        context.env,
        await chats.put(userOf(context), id, { ...chat, content: textOf(content) }),
      );
    },
  );
  hono.delete(
    "/api/chats/:id",
    operation({
      id: "deleteChat",
      summary: "Deletes a chat, on every device",
      tag: "own",
      scope: "account",
      output: headSchema,
    }),
    async (context) => json(context.env, await chats.delete(userOf(context), idOf(context))),
  );
  hono.delete(
    "/api/chats",
    operation({
      id: "deleteChats",
      summary: "Deletes all of one's own chats, on every device",
      tag: "own",
      scope: "account",
      output: z.object({ deleted: z.int() }),
    }),
    async (context) => json(context.env, { deleted: await chats.deleteAll(userOf(context)) }),
  );
}

const idSchema = z.string().regex(/^[A-Za-z0-9_-]{8,64}$/);
const cursorSchema = z.string().max(100);
const limitSchema = z.coerce.number().int().min(1).max(200).default(50);
const flagSchema = z.enum(["true", "false"]).default("false");
const timeSchema = z.int().min(0).max(8.64e15).meta({ description: "ms since the epoch" });

const headSchema = z.object({
  version: z.int(),
  updatedAtMs: timeSchema,
  before: z.string().meta({ description: "the cursor before this change" }),
  cursor: z.string().meta({ description: "the cursor after it" }),
});
const chatSchema = headSchema.omit({ before: true, cursor: true }).extend({
  id: z.string(),
  title: z.string(),
  createdAtMs: timeSchema,
  content: z.looseObject({}).meta({ description: "as it was put" }),
}).meta({ id: "Chat" });
const changeSchema = chatSchema.partial({ content: true }).extend({ deleted: z.boolean() });
const putSchema = z.strictObject({
  title: z.string().max(chatLimits.titleChars),
  content: z.looseObject({}).meta({ description: "any object, up to 8 MiB as JSON" }),
  version: z.int().min(0).default(0),
  createdAtMs: timeSchema,
});

function userOf(context: Context<HttpEnv>): string {
  return context.env.principal!.id;
}

function idOf(context: Context<HttpEnv>): string {
  const id = idSchema.safeParse(context.req.param("id"));
  if (id.success) return id.data;
  throw new AppError("INVALID_INPUT", "The id of a chat has 8 to 64 of A-Z a-z 0-9 _ -", {
    details: { field: "id" },
  });
}

function readQuery(context: Context<HttpEnv>) {
  return {
    after: query(context, "after", cursorSchema.optional()),
    limit: query(context, "limit", limitSchema),
    content: query(context, "content", flagSchema) === "true",
  };
}

function query<T extends z.ZodType>(
  context: Context<HttpEnv>,
  field: string,
  schema: T,
): z.infer<T> {
  const result = schema.safeParse(context.req.query(field));
  if (result.success) return result.data;
  throw new AppError("INVALID_INPUT", `"${field}" ${issueText(result.error.issues[0]!)}`, {
    details: { field },
  });
}

/** JSON text; a client may nest deeper than can be written. */
function textOf(content: unknown): string {
  try {
    return JSON.stringify(content);
  } catch (cause) {
    throw new AppError("INVALID_INPUT", '"content" is nested too deeply', {
      details: { field: "content" },
      cause,
    });
  }
}

/** What it holds is JSON already. */
function chatText({ content, ...head }: { content?: string }): string {
  const text = JSON.stringify(head);
  return content === undefined ? text : `${text.slice(0, -1)},"content":${content}}`;
}

/** Reads on as the client does, so that no more than a page of chats is in memory. */
function exportOf(chats: ChatStore, userId: string): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const parts = exportParts(chats.export(userId));
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await parts.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    async cancel() {
      await parts.return();
    },
  }, { highWaterMark: 0 });
}

async function* exportParts(
  chats: AsyncGenerator<StoredChat, void>,
): AsyncGenerator<string, void> {
  yield `{"format":"bkg-chats","formatVersion":1,"exportedAtMs":${Date.now()},"chats":[`;
  let separator = "\n";
  for await (const chat of chats) {
    yield separator + chatText(chat);
    separator = ",\n";
  }
  yield "\n]}\n";
}
