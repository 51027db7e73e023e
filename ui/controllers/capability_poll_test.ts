import assert from "node:assert/strict";
import type { ReactiveController } from "lit";
import { CapabilityPoll } from "./capability_poll.ts";

function open() {
  const asked: AbortSignal[] = [];
  const answers: PromiseWithResolvers<unknown>[] = [];
  let updated: () => void = () => {};
  let watcher = () => {};
  const presence = {
    visible: true,
    watch(listener: () => void) {
      watcher = listener;
      return () => {};
    },
  };
  const state = { place: undefined as "server" | "browser" | undefined, shown: true };
  let controller: ReactiveController | undefined;
  const host = {
    addController: (added: ReactiveController) => void (controller = added),
    removeController: () => {},
    requestUpdate: () => updated(),
    updateComplete: Promise.resolve(true),
  };
  const poll = new CapabilityPoll(host, {
    capability: "llm.models",
    parse: (answer) => answer as number,
    homes: () => ({
      async *stream(_capability, _input, { signal }) {
        asked.push(signal!);
        const answer = Promise.withResolvers<unknown>();
        answers.push(answer);
        yield await answer.promise;
        return undefined;
      },
    }),
    runsIn: () => state.place,
    isShown: () => state.shown,
    everyMs: 1,
    presence,
  });
  return {
    ...{ poll, asked, answers, presence, state },
    connect: () => controller?.hostConnected?.(),
    update: () => controller?.hostUpdate?.(),
    leave: () => controller?.hostDisconnected?.(),
    look: () => watcher(),
    next: () => new Promise<void>((resolve) => updated = resolve),
  };
}

Deno.test("CapabilityPoll asks nothing of a plugin that is stopped, nor while nobody looks", () => {
  const { asked, connect, update, state, presence, look, leave } = open();
  connect();
  update();
  assert.equal(asked.length, 0);
  presence.visible = false;
  state.place = "server";
  update();
  assert.equal(asked.length, 0);
  presence.visible = true;
  state.shown = false;
  look();
  assert.equal(asked.length, 0);
  state.shown = true;
  update();
  assert.equal(asked.length, 1);
  leave();
  assert.equal(asked[0]!.aborted, true);
});

Deno.test("CapabilityPoll asks again after each answer, and forgets what it knew when the plugin stops", async () => {
  const { poll, asked, answers, connect, update, state, next, leave } = open();
  state.place = "server";
  connect();
  update();
  assert.equal(asked.length, 1);
  answers[0]!.resolve(7);
  await next();
  assert.equal(poll.value, 7);
  while (answers.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  answers[1]!.reject(new Error("lost"));
  await next();
  assert.deepEqual([poll.value, poll.error?.code], [7, "INTERNAL"]);
  state.place = undefined;
  update();
  assert.deepEqual([poll.value, poll.error], [undefined, undefined]);
  leave();
});

Deno.test("CapabilityPoll: an answer from where the plugin ran before is not taken", async () => {
  const { poll, asked, answers, connect, update, state, next, leave } = open();
  state.place = "server";
  connect();
  state.place = "browser";
  update();
  assert.equal(asked.length, 2);
  answers[0]!.resolve(1);
  await new Promise((resolve) => setTimeout(resolve, 1));
  assert.equal(poll.value, undefined);
  answers[1]!.resolve(2);
  await next();
  assert.equal(poll.value, 2);
  leave();
});
