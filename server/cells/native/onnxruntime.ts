// onnxruntime's machine code for the models of one cell: each in a trusted Worker of the cell's main, which stays free to
// answer pings. The bytes come from the host's files, are checked for change, and nothing else is read.

import type { NativeOnnxLoaded } from "../../../plugins/runtime/contract/native_onnx.ts";
import { AppError } from "../../../plugins/runtime/contract/error.ts";
import { transferred } from "../../../plugins/runtime/channel/transfer.ts";
import type { NativeDeps, NativeMethods } from "./native_engines.ts";
import { readLoad, readRun, readSession } from "./onnxruntime_input.ts";
import { type OnnxSession, startOnnxSession } from "./onnxruntime_session.ts";

export async function openOnnxruntime(
  { installed, files, bundles }: NativeDeps,
): Promise<NativeMethods> {
  const code = await Deno.readTextFile(`${bundles}/onnxruntime_worker.js`);
  const sessions = new Map<number, OnnxSession>();
  let loading = 0;
  let nextId = 1;

  const find = (id: number): OnnxSession => {
    const session = sessions.get(id);
    if (session === undefined) throw new AppError("NOT_FOUND", `No model ${id} is loaded`);
    if (session.ended !== undefined) {
      sessions.delete(id);
      throw session.ended;
    }
    return session;
  };

  return {
    async load(input, { signal }) {
      const order = readLoad(input);
      if (sessions.size + loading >= maxSessions) {
        throw new AppError("CONFLICT", `At most ${maxSessions} models may be loaded`);
      }
      loading++;
      let session: OnnxSession | undefined;
      try {
        const model = await files.trustedBytes(order.graph);
        const external = [];
        for (const { path, handle } of order.external) {
          external.push({ path, data: (await files.trustedBytes(handle)).buffer });
        }
        if (signal.aborted) throw cancelled();
        session = startOnnxSession(code, installed);
        const { threads, optimization } = order;
        const loaded = await session.load({
          ...{ model: model.buffer, external, threads, optimization },
        });
        if (signal.aborted) throw cancelled();
        const id = nextId++;
        sessions.set(id, session);
        return { session: id, threads, ...loaded } satisfies NativeOnnxLoaded;
      } catch (error) {
        session?.end(new AppError("UNAVAILABLE", "The model did not load"));
        throw error;
      } finally {
        loading--;
      }
    },
    async run(input, { signal }) {
      const session = find(readSession(input));
      const order = readRun(input, session.described);
      const result = await session.run(order, signal);
      const buffers = Object.values(result.outputs).flatMap(({ data }) =>
        Array.isArray(data) ? [] : [data.buffer as ArrayBuffer]
      );
      return transferred(result, buffers);
    },
    unload(input) {
      const id = readSession(input);
      sessions.get(id)?.end(new AppError("UNAVAILABLE", "The model was unloaded"));
      return { unloaded: sessions.delete(id) };
    },
  };
}

function cancelled(): AppError {
  return new AppError("CANCELLED", "The load was cancelled");
}

/** A Worker each. */
const maxSessions = 64;
