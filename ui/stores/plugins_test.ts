import assert from "node:assert/strict";
import type { PluginView } from "../../plugins/runtime/host/host.ts";
import type { Live, LiveEvent, LiveListener, LiveState } from "../api/live.ts";
import { createNotifier } from "./observable.ts";
import { createPlugins } from "./plugins.ts";

Deno.test("a replay of older changes does not undo the bootstrap", async () => {
  using page = openPage();
  page.connect(10, [view("b", "running"), view("a", "stopped")]);
  // Told before the store heard of the bootstrap, and after.
  page.tell(status(11, view("a", "starting")));
  await settle();
  page.tell(status(9, view("b", "error")));
  assert.deepEqual(page.plugins.list?.map(({ id, status }) => `${id} ${status}`), [
    "a starting",
    "b running",
  ]);
  assert.equal(page.plugins.get("none"), undefined);
});

Deno.test("a plugin that the bootstrap no longer has is gone", async () => {
  using page = openPage();
  page.connect(10, [view("a", "running"), view("b", "running")]);
  await settle();
  page.connect(20, [view("b", "running")]);
  await settle();
  assert.deepEqual(page.plugins.list?.map(({ id }) => id), ["b"]);
});

Deno.test("without a socket the plugins are asked for once, and forgotten at sign-out", async () => {
  using page = openPage();
  page.become({ kind: "lost", retryAtMs: 0, reason: "No socket" });
  await settle();
  page.become({ kind: "lost", retryAtMs: 1, reason: "No socket" });
  await settle();
  assert.deepEqual(page.plugins.list?.map(({ id }) => id), ["asked"]);
  assert.equal(page.asked(), 1);
  page.become({ kind: "closed" });
  await settle();
  assert.equal(page.plugins.list, undefined);
});

function openPage() {
  const notifier = createNotifier();
  const listeners = new Map<string, LiveListener>();
  let state: LiveState = { kind: "connecting" };
  let bootstrap: Live["bootstrap"];
  let asked = 0;
  const plugins = createPlugins({
    live: {
      subscribe: notifier.subscribe,
      get state() {
        return state;
      },
      get bootstrap() {
        return bootstrap;
      },
      open() {},
      close() {},
      follow({ topic }, listener) {
        listeners.set(topic, listener);
        return () => {};
      },
    },
    api: {
      get<Answer>() {
        asked++;
        return Promise.resolve({ plugins: [view("asked", "running")] } as Answer);
      },
    },
  });
  const become = (next: LiveState) => {
    state = next;
    notifier.notify();
  };
  return {
    plugins,
    become,
    asked: () => asked,
    connect(seq: number, views: PluginView[]) {
      bootstrap = { seq, version: "1", plugins: views };
      become({ kind: "open" });
    },
    tell: (event: LiveEvent) => listeners.get(event.type)?.event(event),
    [Symbol.dispose]: () => plugins[Symbol.dispose](),
  };
}

function view(id: string, status: PluginView["status"]): PluginView {
  return { id, name: id.toUpperCase(), status } as PluginView;
}

function status(seq: number, plugin: PluginView): LiveEvent {
  return { type: "status", seq, payload: { pluginId: plugin.id, plugin } };
}

function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
