// Follows a job of the server to its end, with a progress line; Ctrl-C pauses it.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { Job } from "../../plugins/runtime/contract/job.ts";
import type { Client } from "./client.ts";
import type { CliIo } from "./command.ts";
import { openProgressLine } from "./progress_line.ts";

/** The job as it ended: done, paused or cancelled. Throws what it failed with. */
export async function followJob(
  job: Job,
  { client, io }: { client: Client; io: CliIo },
): Promise<Job> {
  const path = `/api/jobs/${encodeURIComponent(job.id)}`;
  const ended = await watch();
  if (ended.status !== "failed") return ended;
  const { code, message, details } = ended.error ??
    { code: "INTERNAL", message: "The job failed", details: undefined };
  throw new AppError(code, message, { details });

  async function watch(): Promise<Job> {
    // A second Ctrl-C, or a server that does not answer, ends the command all the same.
    const abort = new AbortController();
    let interrupts = 0;
    const forget = io.onInterrupt?.(() => {
      if (interrupts++ > 0) return abort.abort(new AppError("CANCELLED", "Interrupted"));
      client.send("POST", `${path}/pause`).catch((error) => abort.abort(error));
    });
    using line = openProgressLine(io);
    try {
      for await (const { name, data } of client.follow(`${path}/events`, abort)) {
        const state = data as Job;
        if (state.status !== "failed") line.show(state);
        if (name === "result") return state;
      }
    } catch (error) {
      throw abort.signal.aborted ? abort.signal.reason : error;
    } finally {
      forget?.();
    }
    throw new AppError(
      "UNAVAILABLE",
      "The server ended the connection; what it was doing goes on when it is there again",
    );
  }
}
