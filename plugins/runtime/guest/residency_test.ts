import assert from "node:assert/strict";
import { AppError } from "../contract/error.ts";
import type { OpenModel } from "../engines/engine.ts";
import { MemoryBudget } from "./memory_budget.ts";
import { Residency, type ResidencyOptions } from "./residency.ts";

const call = { signal: new AbortController().signal, alive: () => {} };

interface Fake {
  id: string;
  isBroken: boolean;
  unload(): Promise<void>;
}

/** Models named after their bytes, such as "a:40"; `fails` is asked before each load. `opened` counts those that are open. */
function setUp(
  options: Partial<ResidencyOptions<Fake>> = {},
  fails: (id: string) => AppError | undefined = () => undefined,
) {
  const events: string[] = [];
  const files = { opened: 0 };
  const open = (id: string): Promise<OpenModel> => {
    files.opened++;
    return Promise.resolve({
      id,
      size: Number(id.split(":")[1] ?? 1),
      format: "gguf",
      files: [],
      close: () => void files.opened--,
    });
  };
  const quiet = () => {};
  const residency = new Residency<Fake>({
    ctx: {
      models: { open, list: () => Promise.resolve([]) },
      log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    },
    require: quiet,
    load({ id }) {
      const error = fails(id);
      events.push(error === undefined ? `load ${id}` : `fail ${id}`);
      if (error !== undefined) return Promise.reject(error);
      const unload = () => Promise.resolve(void events.push(`unload ${id}`));
      return Promise.resolve({ id, isBroken: false, unload });
    },
    maxLoaded: 3,
    keepAliveMs: 0,
    ...options,
  });
  const use = async (id: string, keepAliveMs?: number) => {
    const wish = keepAliveMs === undefined ? {} : { keepAliveMs };
    (await residency.acquire(id, { ...call, ...wish })).release();
  };
  return { residency, files, events, use, take: () => events.splice(0) };
}

Deno.test("Residency refuses what never fits, and puts nothing out for it", async () => {
  const memory = new MemoryBudget(100);
  const { use, take, residency } = setUp({ memory });
  await use("a:60");
  await residency.pin("p:30", call);
  take();
  await assert.rejects(use("huge:101"), {
    code: "OUT_OF_MEMORY",
    details: { model: "huge:101", bytes: 101, budgetBytes: 100 },
  });
  await assert.rejects(use("beside:71"), { code: "OUT_OF_MEMORY", message: /pinned models' 30/ });
  assert.deepEqual(take(), []);
});

Deno.test("Residency puts out those used longest ago, also of other places, until it fits", async () => {
  const memory = new MemoryBudget(100);
  const writers = setUp({ memory });
  const encoders = setUp({ memory });
  await encoders.use("e:30");
  await writers.use("a:30");
  await writers.use("b:30");
  await encoders.use("e:30");
  await writers.use("c:50");
  assert.deepEqual(writers.take(), [
    "load a:30",
    "load b:30",
    "unload a:30",
    "unload b:30",
    "load c:50",
  ]);
  assert.deepEqual(encoders.take(), ["load e:30"]);
  assert.equal(memory.usedBytes, 80);
});

Deno.test("Residency waits for a model in use to leave room, or for the caller to leave", async () => {
  const memory = new MemoryBudget(100);
  const { residency, use, take } = setUp({ memory });
  const lease = await residency.acquire("a:60", call);
  const abort = new AbortController();
  const left = residency.acquire("b:60", { ...call, signal: abort.signal });
  abort.abort(new AppError("CANCELLED", "gone"));
  await assert.rejects(left, { code: "CANCELLED" });
  const waiting = use("c:60");
  lease.release();
  await waiting;
  assert.deepEqual(take(), ["load a:60", "unload a:60", "load c:60"]);
});

Deno.test("Residency tries once more with all the room there is when the engine has no memory", async () => {
  const failing = new Set(["big", "never"]);
  const { use, take } = setUp({}, (id) => {
    if (!failing.has(id)) return undefined;
    if (id === "big") failing.delete(id);
    return new AppError("OUT_OF_MEMORY", "The engine has none");
  });
  await use("a");
  await use("b");
  await use("big");
  assert.deepEqual(take(), ["load a", "load b", "fail big", "unload a", "unload b", "load big"]);
  await assert.rejects(use("never"), { code: "OUT_OF_MEMORY" });
  assert.deepEqual(take(), ["fail never", "unload big", "fail never"]);
  await assert.rejects(use("never"), { code: "OUT_OF_MEMORY" });
  assert.deepEqual(take(), ["fail never"]);
});

Deno.test("Residency lets go of a model that nobody waits for and that does not fit", async () => {
  const loading = Promise.withResolvers<Fake>();
  const { residency, files } = setUp({ load: () => loading.promise });
  const abort = new AbortController();
  const left = residency.acquire("a", { ...call, signal: abort.signal });
  while (residency.size === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  abort.abort(new AppError("CANCELLED", "gone"));
  await assert.rejects(left, { code: "CANCELLED" });
  loading.reject(new AppError("OUT_OF_MEMORY", "The engine has none"));
  while (residency.size > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  await new Promise((resolve) => setTimeout(resolve, 1));
  assert.equal(files.opened, 0);
});

Deno.test("Residency puts out a model that nobody waited for once it is there", async () => {
  const loading = Promise.withResolvers<Fake>();
  const events: string[] = [];
  const unload = (id: string) => Promise.resolve(void events.push(id));
  const fake = (id: string): Fake => ({ id, isBroken: false, unload: () => unload(id) });
  const { residency, use } = setUp({
    maxLoaded: 1,
    load: ({ id }) => id === "a" ? loading.promise : Promise.resolve(fake(id)),
  });
  const abort = new AbortController();
  const left = residency.acquire("a", { ...call, signal: abort.signal });
  while (residency.size === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  abort.abort(new AppError("CANCELLED", "gone"));
  await assert.rejects(left, { code: "CANCELLED" });
  const next = use("b");
  await new Promise((resolve) => setTimeout(resolve, 5));
  loading.resolve(fake("a"));
  await next;
  assert.deepEqual(events, ["a"]);
});

Deno.test("Residency closes the files of a model that does not unload", async () => {
  const failing = () => Promise.reject(new Error("stuck"));
  const { residency, files, use } = setUp({
    load: ({ id }) => Promise.resolve({ id, isBroken: false, unload: failing }),
  });
  await use("a");
  await assert.rejects(residency.unload("a"), { message: "stuck" });
  assert.equal(files.opened, 0);
});

Deno.test("Residency keeps a model as long as the last call with a wish says", async () => {
  const { use, take, residency } = setUp({ keepAliveMs: 1 });
  await use("a", -1);
  await use("a");
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(residency.size, 1);
  await use("a", 0);
  assert.equal(residency.size, 0);
  await use("b");
  while (residency.size > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.deepEqual(take(), ["load a", "unload a", "load b", "unload b"]);
});

Deno.test("Residency never puts out a pinned model, nor counts it among the others", async () => {
  const { residency, use, take } = setUp({ maxLoaded: 1, keepAliveMs: 1 });
  await residency.pin("p", call);
  await use("p", 0);
  await use("a", -1);
  await use("b", -1);
  assert.deepEqual(take(), ["load p", "load a", "unload a", "load b"]);
  const listed = residency.list().map(({ id, pinned, users }) => ({ id, pinned, users }));
  assert.deepEqual(listed, [
    { id: "p", pinned: true, users: 0 },
    { id: "b", pinned: false, users: 0 },
  ]);
  const lease = await residency.acquire("p", call);
  lease.model.isBroken = true;
  lease.release();
  await use("p", 0);
  assert.deepEqual(take(), ["unload p", "load p"]);
  await residency.close();
});

Deno.test("Residency loads a broken model anew, and leaves the others alone", async () => {
  const { residency, use, take } = setUp();
  const other = await residency.acquire("other", call);
  const lease = await residency.acquire("a", call);
  lease.model.isBroken = true;
  lease.release();
  await use("a");
  other.release();
  assert.deepEqual(take(), ["load other", "load a", "unload a", "load a"]);
});
