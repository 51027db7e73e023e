import assert from "node:assert/strict";
import { AppError, type ErrorCode } from "../contract/error.ts";
import { type Grant, noPermissions } from "../contract/grant.ts";
import { createAuditTrail } from "./audit_trail.ts";
import { openBroker } from "./broker.ts";
import { createThreadBudget } from "./thread_budget.ts";

const all: Grant = { ...noPermissions, services: ["models"], models: ["*"] };

/** A broker over models that count who holds them; `opening` delays every open. */
function startBroker(
  { grant = all, opening = Promise.resolve() }: { grant?: Grant; opening?: Promise<unknown> } = {},
) {
  const held = new Map<string, number>();
  const files = new Map<number, string>();
  const fingerprints: unknown[] = [];
  const state = { grant };
  const count = (id: string, change: number) => held.set(id, (held.get(id) ?? 0) + change);
  const broker = openBroker({
    openFile(handle, { path, fingerprint }) {
      files.set(handle, path);
      fingerprints.push(fingerprint);
    },
    closeFile: (handle) => void files.delete(handle),
  }, {
    pluginId: "demo",
    grant: () => state.grant,
    models: {
      list: () => Promise.resolve([]),
      async open(asked) {
        await opening;
        if (asked === "none") throw new AppError("NOT_FOUND", "There is none");
        const id = asked === "short" ? "owner/long:Q8_0" : asked;
        count(id, 1);
        const files = [1, 2].map((part) => ({
          ...{ name: `${part}.gguf`, path: `/${id}`, size: 1 },
          fingerprint: `of ${part}`,
        }));
        return { id, size: 2, format: "gguf", files, release: () => count(id, -1) };
      },
    },
    threads: createThreadBudget(1),
    audit: createAuditTrail({ now: () => 0 }),
  });
  const open = (id: string) => broker.call("models.open", { id }) as Promise<{ handle: number }>;
  const close = (handle: unknown) => broker.call("models.close", { handle });
  const holds = () => [...held].filter(([, users]) => users !== 0);
  return { broker, open, close, holds, files, fingerprints, state };
}

function withCode(code: ErrorCode) {
  return (error: unknown) => error instanceof AppError && error.code === code;
}

Deno.test("models.open that fails holds nothing: not granted, unknown, revoked meanwhile, a lost cell", async () => {
  const narrow = startBroker({ grant: { ...all, models: ["owner/other", "short"] } });
  await assert.rejects(narrow.open("owner/long:Q8_0"), withCode("GRANT_DENIED"));
  // The name is granted, the model that it leads to is not.
  await assert.rejects(narrow.open("short"), withCode("GRANT_DENIED"));
  await assert.rejects(startBroker().open("none"), withCode("NOT_FOUND"));
  const gate = Promise.withResolvers<void>();
  const revoked = startBroker({ opening: gate.promise });
  const lost = startBroker({ opening: gate.promise });
  const attempts = [revoked.open("m"), lost.open("m")];
  revoked.state.grant = noPermissions;
  lost.broker.close();
  gate.resolve();
  const [first, second] = await Promise.allSettled(attempts);
  assert.ok(first?.status === "rejected" && withCode("GRANT_DENIED")(first.reason));
  assert.ok(second?.status === "rejected" && withCode("CELL_LOST")(second.reason));
  for (const { holds, files } of [narrow, revoked, lost]) {
    assert.deepEqual(holds(), []);
    assert.equal(files.size, 0);
  }
});

Deno.test("an open model is held until its handle is closed, once", async () => {
  const { open, close, holds, files, fingerprints } = startBroker();
  const [first, second] = [await open("short"), await open("owner/long:Q8_0")];
  assert.deepEqual(holds(), [["owner/long:Q8_0", 2]]);
  assert.deepEqual(
    fingerprints.slice(0, 2),
    ["of 1", "of 2"],
    "the cell is told what was looked at",
  );
  for (const handle of [99, "1", undefined, null, first.handle, first.handle]) close(handle);
  assert.deepEqual(holds(), [["owner/long:Q8_0", 1]]);
  assert.equal(files.size, 2);
  close(second.handle);
  assert.deepEqual(holds(), []);
  assert.equal(files.size, 0);
});

Deno.test("a cell that ends and a grant that is revoked give back what was open", async () => {
  const { broker, open, holds, state } = startBroker();
  for (const id of ["a", "b", "b"]) await open(id);
  state.grant = { ...all, models: ["a"] };
  broker.grantChanged();
  assert.deepEqual(holds(), [["a", 1]]);
  broker.close();
  broker.close();
  assert.deepEqual(holds(), []);
});

Deno.test("a plugin that opens models at once without end holds 64, and is told", async () => {
  const { broker, open, holds } = startBroker();
  const outcomes = await Promise.allSettled(Array.from({ length: 200 }, () => open("m")));
  const refused = outcomes.filter(({ status }) => status === "rejected") as PromiseRejectedResult[];
  assert.equal(refused.length, 136);
  assert.ok(refused.every(({ reason }) => withCode("CONFLICT")(reason)));
  assert.deepEqual(holds(), [["m", 64]]);
  broker.close();
});
