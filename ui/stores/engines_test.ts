import assert from "node:assert/strict";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { Job } from "../../plugins/runtime/contract/job.ts";
import type { Api } from "../api/client.ts";
import { createEngines } from "./engines.ts";

function open(answers: Record<string, () => unknown>) {
  const asked: string[] = [];
  let end: (job: Job) => void = () => {};
  const answer = <Answer>(line: string) => {
    asked.push(line);
    const make = answers[line] ?? (() => {
      throw new AppError("NOT_FOUND", "Nothing is here");
    });
    return Promise.resolve().then(make) as Promise<Answer>;
  };
  const api: Pick<Api, "get" | "send"> = {
    get: (path) => answer(`GET ${path}`),
    send: (method, path) => answer(`${method} ${path}`),
  };
  const engines = createEngines({
    api: api as Api,
    jobs: {
      ended(listener) {
        end = listener;
        return () => {};
      },
    },
  });
  const told = () =>
    new Promise<void>((resolve) => {
      const stop = engines.subscribe(() => (stop(), resolve()));
    });
  return { engines, asked, told, end: () => end({} as Job) };
}

Deno.test("createEngines: a server without engines is no fault, one that fails is", async () => {
  const none = open({});
  none.end();
  assert.deepEqual(none.asked, []);
  none.engines.load();
  await none.told();
  assert.deepEqual([none.engines.list, none.engines.error], [undefined, undefined]);

  const failing = open({
    "GET /api/engines"() {
      throw new AppError("UNAVAILABLE", "Gone");
    },
  });
  failing.engines.load();
  await failing.told();
  assert.equal(failing.engines.error?.code, "UNAVAILABLE");
});

Deno.test("createEngines: reads anew after a change, refused or not, and when a job ends", async () => {
  let status = "off";
  const { engines, asked, told, end } = open({
    "GET /api/engines": () => ({ engines: [{ id: "cpu", status }] }),
    "POST /api/engines/cpu"() {
      status = "adding";
    },
  });
  const shown = () => engines.list?.map((engine) => engine.status);
  await Promise.all([told(), engines.add("cpu")]);
  assert.deepEqual(shown(), ["adding"]);
  status = "on";
  end();
  await told();
  assert.deepEqual(shown(), ["on"]);
  await assert.rejects(engines.remove("cpu"), { code: "NOT_FOUND" });
  await told();
  assert.deepEqual(asked.slice(-2), ["DELETE /api/engines/cpu", "GET /api/engines"]);
});
