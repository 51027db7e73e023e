// POST /api/models/:id/trust on a whole server: who may, what is answered, and what is written down.

import assert from "node:assert/strict";
import { join } from "node:path";
import { projectRoot } from "../../build/bundles.ts";
import { startComposed } from "../../testing/composed_server.ts";

const demo = join(projectRoot, "models/demo/demo-stories-q8_0.gguf");

Deno.test("POST /api/models/:id/trust: who manages models marks one, and the trail tells", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "bkg-test-" });
  try {
    await Deno.mkdir(join(dataDir, "models/ada"), { recursive: true });
    await Deno.copyFile(demo, join(dataDir, "models/ada/mine.gguf"));
    await using server = await startComposed({}, { dataDir });
    const ask = async (method: string, path: string, body?: unknown, token = server.token) => {
      const response = await fetch(`${server.url}${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: response.status, headers: response.headers, body: await response.json() };
    };
    const trust = (id: string, body: unknown, token?: string) =>
      ask("POST", `/api/models/${encodeURIComponent(id)}/trust`, body, token);
    const isTrusted = async (id: string) => {
      const { body } = await ask("GET", "/api/models");
      return body.models.find((model: { id: string }) => model.id === id).trusted;
    };

    const { body: reader } = await ask("POST", "/admin/keys", {
      userId: "operator",
      name: "reader",
      scopes: ["models:read"],
    });
    const denied = await trust("mine", { trusted: true }, reader.key);
    assert.deepEqual([denied.status, denied.body.code], [403, "FORBIDDEN"]);
    assert.match(denied.body.detail, /models:manage/);
    for (const body of [{}, { trusted: "yes" }, { trusted: true, id: "other" }]) {
      assert.equal((await trust("mine", body)).status, 400, JSON.stringify(body));
    }
    assert.equal((await trust("none", { trusted: true })).status, 404);
    assert.equal((await trust("none", { trusted: false })).status, 404);
    assert.equal((await trust("demo-stories-q8_0", { trusted: false })).status, 409);
    assert.deepEqual([await isTrusted("mine"), await isTrusted("demo-stories-q8_0")], [
      false,
      true,
    ]);

    const begun = await trust("MINE", { trusted: true });
    assert.deepEqual([begun.status, begun.body.kind], [202, "model.verify"]);
    assert.equal(begun.headers.get("location"), `/api/jobs/${begun.body.id}`);
    await eventually(() => isTrusted("mine"));
    const again = await trust("mine", { trusted: true });
    assert.deepEqual([again.status, again.body.id, again.body.trusted], [200, "mine", true]);
    const { body: shown } = await ask("GET", "/api/models/mine", undefined, reader.key);
    assert.deepEqual([shown.trusted, shown.changedSinceTrusted], [true, undefined]);
    const taken = await trust("mine", { trusted: false });
    assert.deepEqual([taken.status, taken.body.trusted], [200, false]);

    const trail = async () =>
      (await ask("GET", "/admin/audit?action=model.trust")).body.entries
        .map(({ object, outcome }: { object: string; outcome: string }) => `${object} ${outcome}`);
    await eventually(async () => (await trail()).length >= 3);
    assert.deepEqual((await trail()).sort(), [
      "model:MINE ok",
      "model:mine ok",
      "model:none failed",
    ]);
    const { body: document } = await ask("GET", "/openapi.json");
    assert.equal(document.paths["/api/models/{id}/trust"].post.operationId, "trustModel");
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

async function eventually(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !await holds(); tries++) {
    assert.ok(tries < 200, "it never came");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
