// One cell as the host holds it: child process, pipe, control frames, and the one way it ends.

import { type BytePort, createBytePort } from "../../plugins/runtime/channel/byte_port.ts";
import { decodeControl } from "../../plugins/runtime/channel/frame.ts";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type {
  Cell,
  CellExit,
  CellExitReason,
  CellFile,
  CellSpec,
  CellUsage,
  Enforcement,
} from "../../plugins/runtime/host/cell.ts";
import { toPlainText } from "../../plugins/runtime/contract/plain_text.ts";
import type { CellDoor } from "./listen.ts";
import type { MemoryLimit } from "./memory_limit.ts";
import { pumpOutput } from "./output.ts";
import { folderBytes, readCpu, readRssBytes } from "./proc.ts";
import type { ControlOrder, ControlReport, StartOrder } from "./start_order.ts";
import type { CellWatch } from "./watch.ts";

export interface CellProcessDeps {
  child: Deno.ChildProcess;
  spec: CellSpec;
  folder: string;
  memory: MemoryLimit;
  watch: CellWatch;
  /** Disposed when the process is gone. */
  cleanups: AsyncDisposableStack;
}

export class CellProcess implements Cell {
  readonly pid: number;
  readonly enforcement: Enforcement;
  readonly exited: Promise<CellExit>;
  readonly #deps: CellProcessDeps;
  readonly #pings = new Map<number, () => void>();
  #port: BytePort | undefined;
  #nextPing = 0;
  #ending: { reason: CellExitReason; message: string } | undefined;
  #gone = false;
  #lastStderr = "";

  constructor(deps: CellProcessDeps) {
    this.#deps = deps;
    this.pid = deps.child.pid;
    this.enforcement = deps.memory.enforcement;
    const polled = deps.memory.enforcement.memory.includes("poll");
    deps.cleanups.defer(
      deps.watch.add({
        pid: this.pid,
        folder: deps.folder,
        limitBytes: polled ? deps.memory.limitBytes : Infinity,
        kill: (reason, message) => this.kill(reason, message),
      }),
    );
    this.exited = this.#waitForExit();
  }

  get port(): BytePort {
    if (this.#port === undefined) throw new Error("the cell is not connected");
    return this.#port;
  }

  /** Sends the start order and lets the cell in; rejects when it does not come. */
  async connect(order: StartOrder, door: CellDoor, signal: AbortSignal): Promise<void> {
    const gaveUp = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      this.exited.then(({ message }) => reject(new AppError("CELL_LOST", message)));
    });
    gaveUp.catch(() => {});
    await Promise.race([gaveUp, this.#sendOrder(order)]);
    const pipe = await Promise.race([gaveUp, door.accept()]);
    door.close();
    await Promise.race([gaveUp, this.#openPipe(pipe, door.token)]);
  }

  openFile(handle: number, { path, size, trusted, fingerprint }: CellFile): void {
    this.#order({ kind: "open", handle, path, size, trusted, fingerprint });
  }

  closeFile(handle: number): void {
    this.#order({ kind: "close", handle });
  }

  async ping(timeoutMs: number): Promise<void> {
    const id = this.#nextPing++;
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#pings.set(id, resolve);
        timer = setTimeout(() => {
          reject(new AppError("TIMEOUT", `The cell did not answer a ping within ${timeoutMs} ms`));
        }, timeoutMs);
        this.#order({ kind: "ping", id });
      });
    } finally {
      clearTimeout(timer);
      this.#pings.delete(id);
    }
  }

  usage(): Promise<CellUsage | undefined> {
    const rssBytes = readRssBytes(this.pid);
    const cpu = readCpu(this.pid);
    if (rssBytes === undefined || cpu === undefined) return Promise.resolve(undefined);
    const diskBytes = folderBytes(this.#deps.folder);
    return Promise.resolve({ rssBytes, ...cpu, diskBytes });
  }

  kill(reason: CellExitReason, message: string): void {
    if (this.#gone) return;
    this.#ending ??= { reason, message };
    try {
      this.#deps.child.kill("SIGKILL");
    } catch {
      // It ended by itself in the meantime.
    }
    this.#port?.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("stopped", "The host stopped the cell");
    await this.exited;
  }

  async #sendOrder(order: StartOrder): Promise<void> {
    const writer = this.#deps.child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(JSON.stringify(order)));
    await writer.close();
  }

  /** Joins the pipe to a port; settles when the cell has shown the token. */
  #openPipe(pipe: Deno.Conn, token: string): Promise<void> {
    return new Promise((resolve, reject) => {
      let greeted = false;
      const port = createBytePort({
        write: (bytes) => writeAll(pipe, bytes),
        close: () => closeQuietly(pipe),
      }, {
        control: (frame) => {
          const report = decodeControl(frame.payload) as ControlReport;
          if (!greeted) {
            if (report?.kind !== "hello" || report.token !== token) {
              throw new AppError("PROTOCOL_VIOLATION", "The cell did not show its token");
            }
            greeted = true;
            return resolve();
          }
          this.#take(report);
        },
      });
      this.#port = port;
      readPipe(pipe, port).catch(reject);
    });
  }

  #take(report: ControlReport): void {
    if (report?.kind === "pong") this.#pings.get(report.id)?.();
    else if (report?.kind === "fault") {
      this.kill(
        "crashed",
        `The plugin's Worker failed: ${toPlainText(String(report.message), 500)}`,
      );
    } else throw new AppError("PROTOCOL_VIOLATION", "The cell sent an unknown control frame");
  }

  #order(order: ControlOrder): void {
    this.#port?.sendControl(order);
  }

  async #waitForExit(): Promise<CellExit> {
    const { child, spec, memory, cleanups } = this.#deps;
    const outputs = [
      pumpOutput(child.stdout, (line) => spec.output("stdout", line), child.status),
      pumpOutput(child.stderr, (line) => {
        this.#lastStderr = toPlainText(line, 500);
        spec.output("stderr", line);
      }, child.status),
    ];
    const { code, signal } = await child.status;
    this.#gone = true;
    const outOfMemory = memory.exceeded() || isHeapAbort(code, this.#lastStderr);
    await Promise.all(outputs);
    this.#port?.end();
    await cleanups.disposeAsync();
    const status = signal ?? `exit ${code}`;
    if (this.#ending !== undefined) return { ...this.#ending, status };
    if (outOfMemory) {
      const message = `The cell needed more than its ${spec.limits.memoryMb} MiB`;
      return { reason: "memory", message, status };
    }
    const lastWords = this.#lastStderr === "" ? "" : `: ${this.#lastStderr}`;
    return {
      reason: "crashed",
      message: `The cell ended by itself (${status})${lastWords}`,
      status,
    };
  }
}

/** V8 aborts the whole process when a heap is full: it says so on stderr, and ends with 133 or SIGTRAP. */
function isHeapAbort(code: number, lastStderr: string): boolean {
  return code === 133 || /out of memory/i.test(lastStderr);
}

const longReadMs = 10;

async function readPipe(pipe: Deno.Conn, port: BytePort): Promise<void> {
  const chunk = new Uint8Array(64 * 1024);
  try {
    while (true) {
      const count = await pipe.read(chunk);
      if (count === null) break;
      const startedMs = performance.now();
      port.feed(chunk.subarray(0, count));
      const spentMs = performance.now() - startedMs;
      // One frame may be dear to read. A cell that sends such ones without end leaves three quarters of the time to others.
      if (spentMs > longReadMs) await new Promise((resolve) => setTimeout(resolve, 3 * spentMs));
    }
  } catch {
    // The pipe broke: the same as its end.
  }
  port.end();
}

async function writeAll(pipe: Deno.Conn, bytes: Uint8Array): Promise<void> {
  let rest = bytes;
  while (rest.length > 0) rest = rest.subarray(await pipe.write(rest));
}

function closeQuietly(pipe: Deno.Conn): void {
  try {
    pipe.close();
  } catch {
    // Closed already.
  }
}
