import assert from "node:assert/strict";
import type { ModelRecord } from "../../../models/model.ts";
import { createScopes } from "../../auth/scopes.ts";
import { publicModel } from "./models.ts";

Deno.test("publicModel: only who manages models is told where a file of the server lay", () => {
  const user = { scopes: createScopes(["models:read"]) };
  const manager = { scopes: createScopes(["models:read", "models:manage"]) };
  const paths = ["/home/ada/secret/m.gguf", "./m.gguf", "../m.gguf", "C:\\ada\\m.gguf"];
  for (const source of paths) {
    assert.ok(!("source" in publicModel({ ...model, source }, user)), source);
    assert.equal(publicModel({ ...model, source }, manager).source, source);
  }
  for (const source of ["ada/model:Q8_0", "https://host.test/m.gguf"]) {
    assert.equal(publicModel({ ...model, source }, user).source, source);
  }
  assert.ok(!("source" in publicModel(model, manager)));
});

const model: ModelRecord = {
  id: "m",
  format: "gguf",
  origin: "store",
  task: undefined,
  size: 1,
  files: [{ name: "m.gguf", path: "/secret/blob", size: 1 }],
  architecture: "llama",
  parameterCount: 1,
  quantization: "F32",
  contextLength: undefined,
  chatTemplate: false,
  shape: undefined,
  pinned: false,
  createdAtMs: 0,
};
