// /v1/embeddings and /v1/rerank on `llm.embed` and `llm.rerank`, whichever plugin owns them.

import type { Hono } from "hono";
import {
  embeddings,
  embeddingsAnswer,
  embeddingsRequest,
  parseEmbeddingsRequest,
} from "../openai/embeddings.ts";
import { findNamedModel } from "../openai/named_model.ts";
import { parseRerankRequest, ranking, rerankAnswer, rerankRequest } from "../openai/rerank.ts";
import { unsupported } from "../openai/request.ts";
import { operation } from "../operation.ts";
import { json } from "../reply.ts";
import type { HttpEnv, RequestScope, RouteDeps } from "../services.ts";
import { callOptions } from "./capabilities.ts";
import { requireCapability } from "./openai.ts";

export function openAiEncoderRoutes(hono: Hono<HttpEnv>, deps: RouteDeps): void {
  const { body } = deps;
  hono.post(
    "/v1/embeddings",
    operation({
      id: "createEmbedding",
      summary: "Turns texts into vectors",
      tag: "openai",
      scope: "invoke",
      openAi: true,
      input: embeddingsRequest,
      output: embeddingsAnswer,
    }),
    async (context) => {
      const request = context.req.raw;
      const { input, format } = parseEmbeddingsRequest(await body.json(request));
      const { model } = input;
      const result = await callEncoder(request, context.env, {
        capability: "llm.embed",
        input,
        deps,
      });
      return json(context.env, embeddings(result, { model, format }));
    },
  );
  hono.post(
    "/v1/rerank",
    operation({
      id: "createRerank",
      summary: "Sorts documents by how well they answer a query",
      tag: "openai",
      scope: "invoke",
      openAi: true,
      input: rerankRequest,
      output: rerankAnswer,
    }),
    async (context) => {
      const request = context.req.raw;
      const { input, returnDocuments } = parseRerankRequest(await body.json(request));
      const { model, documents } = input;
      const result = await callEncoder(request, context.env, {
        capability: "llm.rerank",
        input,
        deps,
      });
      return json(context.env, ranking(result, { model, documents, returnDocuments }));
    },
  );
}

async function callEncoder(
  request: Request,
  scope: RequestScope,
  { capability, input, deps }: { capability: string; input: { model: string }; deps: RouteDeps },
): Promise<unknown> {
  const principal = scope.principal!;
  requireCapability(deps, capability, principal);
  const { model, preset } = await findNamedModel(deps, {
    name: input.model,
    userId: principal.id,
  });
  if (preset !== undefined) {
    throw unsupported("model", `"${preset.name}" is a preset, and those are for chats`);
  }
  // Grants hold a model's own id, which may be spelled otherwise here.
  const own = { ...input, model: model.id };
  return await deps.bus.call(capability, own, callOptions(scope, request.signal));
}
