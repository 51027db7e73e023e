// `bkg doctor`: whether the server answers and what ails its plugins. A container's health check calls it.

import { AppError } from "../../../plugins/runtime/contract/error.ts";
import { toPlainText } from "../../../plugins/runtime/contract/plain_text.ts";
import type { PluginView } from "../../../plugins/runtime/host/host.ts";
import { connect } from "../client.ts";
import { clientOptions, type Command, exitCodes, isUnreachable } from "../command.ts";
import { table } from "../terminal.ts";

export const doctor: Command = {
  name: "doctor",
  summary: "Check that the server answers, and tell what ails its plugins.",
  usage: ["doctor [--quiet] [--json]"],
  options: {
    ...clientOptions,
    quiet: { type: "boolean", short: "q", description: "print only what is wrong" },
  },
  details: ["Exit code 0: the server is ready; 1: it is not; 3: nothing answers."],
  async run(args, io) {
    const findings: Finding[] = [];
    let code: number = exitCodes.ok;
    const signal = AbortSignal.timeout(answerTimeoutMs);
    try {
      const client = await connect(args, {
        ...io,
        fetch: (url, init) => io.fetch(url, { ...init, signal }),
      });
      await client.get("/readyz");
      findings.push({ ok: true, what: "server", message: `${client.url} is ready` });
      const { plugins } = await client.get<{ plugins: PluginView[] }>("/api/plugins");
      findings.push(...plugins.map(examine));
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      code = isUnreachable(error) ? exitCodes.unreachable : exitCodes.failed;
      findings.push({ ok: false, what: "server", message: toPlainText(error.message, 500) });
    }
    const shown = findings.filter(({ ok }) => !ok || !args.flag("quiet"));
    if (args.flag("json")) io.out(JSON.stringify(shown, null, 2) + "\n");
    else if (shown.length > 0) {
      io.out(table(shown.map(({ ok, what, message }) => [ok ? "ok" : "bad", what, message])));
    }
    return code;
  },
};

/** A hung server counts as none; below the 5 s that the container's health check may take. */
const answerTimeoutMs = 3000;

interface Finding {
  ok: boolean;
  what: string;
  message: string;
}

/** A plugin that fails is told of, but its server is well: a restart of the container would not help. */
function examine({ id, status, lastError, missingGrants, healthy }: PluginView): Finding {
  const what = `plugin ${id}`;
  if (status === "error") {
    return { ok: false, what, message: toPlainText(lastError?.message ?? "it failed", 500) };
  }
  if (missingGrants.length > 0) {
    const missing = toPlainText(missingGrants.join(", "), 200);
    return { ok: false, what, message: `was not granted ${missing}: bkg plugin grant ${id}` };
  }
  if (healthy === false) return { ok: false, what, message: "its own health check fails" };
  return { ok: true, what, message: status };
}
