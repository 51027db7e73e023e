// /api/models/:id and its files, for a page that runs models itself: ranges of bytes, and digests to check them by.

import type { Hono } from "hono";
import { z } from "zod";
import { AppError } from "../../../plugins/runtime/contract/error.ts";
import type { ByteReader } from "../../services/model_files.ts";
import { operation } from "../operation.ts";
import { isKnownTag, parseRange } from "../range.ts";
import { json, plainHeaders } from "../reply.ts";
import type { HttpEnv, RouteDeps } from "../services.ts";
import { modelSchema, publicModel } from "./models.ts";

export function modelFileRoutes(hono: Hono<HttpEnv>, { modelFiles, streams }: RouteDeps): void {
  if (modelFiles === undefined) return;
  hono.get(
    "/api/models/:id",
    operation({
      id: "getModel",
      summary: "One model and its files",
      description: "Waits for the digests of files that were not asked for before",
      tag: "models",
      scope: "models:read",
      output: modelWithFilesSchema,
    }),
    async (context) => {
      const { model, files } = await modelFiles.describe(context.req.param("id") ?? "");
      return json(context.env, { ...publicModel(model, context.env.principal!), files });
    },
  );
  hono.get(
    "/api/models/:id/files/:name",
    operation({
      id: "getModelFile",
      summary: "The bytes of a model's file, or, by Range, some of them; its ETag is its digest",
      tag: "models",
      scope: "models:read",
      outputType: "application/octet-stream",
    }),
    async (context) => {
      const { method, headers: asked } = context.req.raw;
      const { id = "", name = "" } = context.req.param() as { id?: string; name?: string };
      const file = await modelFiles.find(id, name);
      const { size, digest } = file;
      const etag = `"${digest}"`;
      const headers = plainHeaders(context.env, "application/octet-stream");
      headers["etag"] = etag;
      headers["x-bkg-digest"] = digest;
      headers["accept-ranges"] = "bytes";
      if (isKnownTag(asked.get("if-none-match"), etag)) {
        return new Response(null, { status: 304, headers });
      }
      if (method === "HEAD") {
        headers["content-length"] = String(size);
        return new Response(null, { headers });
      }
      const range = parseRange(asked.get("range"), { size, etag, ifRange: asked.get("if-range") });
      if (range.kind === "unsatisfiable") {
        return new Response(null, {
          status: 416,
          headers: { ...headers, "content-range": `bytes */${size}` },
        });
      }
      const { start, end } = range.kind === "part" ? range : { start: 0, end: size };
      headers["content-length"] = String(end - start);
      if (range.kind === "part") headers["content-range"] = `bytes ${start}-${end - 1}/${size}`;
      const body = byteStream(await file.open({ start, end }), streams);
      return new Response(body, { status: range.kind === "part" ? 206 : 200, headers });
    },
  );
}

/** Reads only what the client takes; a client that leaves, and a server that stops, close the file. */
function byteStream(reader: ByteReader, streams: Set<() => void>): ReadableStream<Uint8Array> {
  let cut = () => {};
  const finish = () => {
    streams.delete(cut);
    reader[Symbol.dispose]();
  };
  return new ReadableStream<Uint8Array>({
    start(controller) {
      cut = () => {
        finish();
        controller.error(new AppError("UNAVAILABLE", "The server is shutting down"));
      };
      streams.add(cut);
    },
    async pull(controller) {
      try {
        const piece = await reader.read();
        if (!streams.has(cut)) return;
        if (piece !== undefined) return controller.enqueue(piece);
        finish();
        controller.close();
      } catch (error) {
        if (!streams.has(cut)) return;
        finish();
        // Fewer bytes than Content-Length: the client sees that it is broken.
        controller.error(error);
      }
    },
    cancel: finish,
  }, { highWaterMark: 0 });
}

const modelWithFilesSchema = modelSchema.extend({
  files: z.array(z.object({
    name: z.string(),
    size: z.number().meta({ description: "bytes" }),
    digest: z.string().meta({ description: "sha256:<hex>" }),
  })),
}).meta({ id: "ModelWithFiles" });
