import { createApp } from "./app.ts";
import { createMetrics } from "./observability/metrics.ts";
import { createOperatorAuthenticator } from "./auth/operator_key.ts";
import { createLogger } from "./log.ts";
const token = "bkg_operator_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const bus = {
  call: (_c: string, i: unknown, o: { signal: AbortSignal }) => {
    const f = () => {};
    o.signal.addEventListener("abort", f);
    return Promise.resolve(i).then((v) => {
      o.signal.removeEventListener("abort", f);
      return v;
    });
  },
};
const app = createApp({
  host: { bus, list: () => [] } as any,
  auth: createOperatorAuthenticator(token),
  models: { list: () => Promise.resolve([]) },
  config: { version: "0", host: "127.0.0.1", allowedHosts: [], allowedOrigins: [] },
  log: createLogger({ write: (t) => Deno.stderr.writeSync(new TextEncoder().encode(t)) }),
  metrics: createMetrics(),
});
Deno.serve({ port: 8199, onListen() {} }, (r) => app.fetch(r));
