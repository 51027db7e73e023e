// The trusted main of a cell: gives up its permissions, starts the plugin's Worker with none, and then
// only moves frames between host and Worker, reads the model files that the host opened, and answers pings.

import { createChannel } from "../../plugins/runtime/channel/peer_channel.ts";
import {
  decodeControl,
  encodeControl,
  encodeFrame,
  frameKind,
  FrameReader,
} from "../../plugins/runtime/channel/frame.ts";
import { transferred } from "../../plugins/runtime/channel/transfer.ts";
import { createWorkerPort } from "../../plugins/runtime/channel/worker_port.ts";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { BootSpec } from "../../plugins/runtime/boot/spec.ts";
import type { CellAddress, ControlOrder, ControlReport, StartOrder } from "./start_order.ts";
import { createFileReads, type FileReads } from "./file_reads.ts";
import { openLlama } from "./native/llama.ts";
import { createNativeEngines } from "./native/native_engines.ts";
import { openOnnxruntime } from "./native/onnxruntime.ts";

/** Runs the cell until its host goes away or ends it. */
export async function runCell(): Promise<never> {
  const order = await readStartOrder();
  const read = (name: string) => Deno.readTextFileSync(`${order.bundles}/${name}`);
  const bootText = (order.prelude ? read("prelude.js") : "") + read("boot.js");
  const engines = Object.fromEntries(
    order.engines.map((engine) => [engine, read(`engines/${engine}.js`)]),
  );
  const host = await connect(order.address);
  dropPermissions({ read: order.reads, ffi: order.native.length > 0 });
  watchParent();

  const files = createFileReads(`${order.bundles}/engines`);
  const native = createNativeEngines({
    installed: order.native,
    engines: { llama: openLlama, onnxruntime: openOnnxruntime },
    files,
    bundles: order.bundles,
  });
  const outbox = createOutbox(host);
  outbox.report({ kind: "hello", token: order.token });
  const worker = startWorker(bootText, outbox);
  createChannel(createWorkerPort(worker, "main"), {
    handler: {
      call: (method, input, call) =>
        native.find(method)?.(input, call) ?? serveWorker(files, method, input),
    },
    maxIncoming: 256,
  });
  worker.postMessage(
    {
      code: order.code,
      engines,
      native: order.native.map(({ engine, variant, version }) => ({ engine, variant, version })),
      transport: "bytes",
    } satisfies BootSpec,
  );

  const frames = new FrameReader();
  const chunk = new Uint8Array(64 * 1024);
  while (true) {
    const count = await host.read(chunk).catch(() => null);
    // Without a host there is nothing to run for; this also ends a cell whose host was killed.
    if (count === null) Deno.exit(0);
    for (const { kind, payload } of frames.push(chunk.subarray(0, count))) {
      if (kind === frameKind.control) {
        obey(decodeControl(payload) as ControlOrder, files, outbox);
      } else {
        const frame = encodeFrame(kind, payload);
        worker.postMessage(frame, [frame.buffer]);
      }
    }
  }
}

type Outbox = ReturnType<typeof createOutbox>;

async function readStartOrder(): Promise<StartOrder> {
  const text = await new Response(Deno.stdin.readable).text();
  return JSON.parse(text) as StartOrder;
}

function connect(address: CellAddress): Promise<Deno.Conn> {
  return address.transport === "unix" ? Deno.connect(address) : Deno.connect(address);
}

/** For good: nothing in this process can ask for them again. */
function dropPermissions(keep: { read: boolean; ffi: boolean }): void {
  for (const name of ["run", "net", "env", "sys", "write", "import"] as const) {
    Deno.permissions.revokeSync({ name });
  }
  for (const name of ["read", "ffi"] as const) {
    if (!keep[name]) Deno.permissions.revokeSync({ name });
  }
}

/** A second way to notice that the host is gone: the process is handed to another parent. */
function watchParent(): void {
  const parent = Deno.ppid;
  Deno.unrefTimer(setInterval(() => Deno.ppid !== parent && Deno.exit(0), 1000));
}

function createOutbox(host: Deno.Conn) {
  let waiting: Uint8Array[] = [];
  let writing = false;
  async function drain(): Promise<void> {
    writing = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      for (let bytes of batch) {
        while (bytes.length > 0) bytes = bytes.subarray(await host.write(bytes));
      }
    }
    writing = false;
  }
  const send = (bytes: Uint8Array) => {
    waiting.push(bytes);
    if (!writing) drain().catch(() => Deno.exit(0));
  };
  return { send, report: (report: ControlReport) => send(encodeControl(report)) };
}

function startWorker(bootText: string, outbox: Outbox): Worker {
  const url = URL.createObjectURL(new Blob([bootText], { type: "text/javascript" }));
  const worker = new Worker(url, { type: "module", deno: { permissions: "none" } });
  worker.addEventListener("message", ({ data }: MessageEvent) => {
    if (data instanceof Uint8Array) outbox.send(data);
  });
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    outbox.report({ kind: "fault", message: event.message.slice(0, 2000) });
  });
  return worker;
}

function obey(order: ControlOrder, files: FileReads, outbox: Outbox): void {
  switch (order.kind) {
    case "ping":
      return outbox.report({ kind: "pong", id: order.id });
    case "open":
      return files.open(order.handle, order);
    case "close":
      return files.close(order.handle);
  }
}

async function serveWorker(files: FileReads, method: string, input: unknown) {
  const request = (typeof input === "object" && input !== null ? input : {}) as Record<
    string,
    unknown
  >;
  switch (method) {
    case "read": {
      const bytes = await files.read(request["handle"], request["offset"], request["length"]);
      return transferred({ bytes }, [bytes.buffer]);
    }
    case "asset": {
      const bytes = await files.asset(request["name"]);
      return transferred({ bytes }, [bytes.buffer]);
    }
    default:
      throw new AppError("NOT_FOUND", `The cell has no method "${method}"`);
  }
}

if (import.meta.main) await runCell();
