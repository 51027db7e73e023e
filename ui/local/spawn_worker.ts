// Starts plugins' Workers in this page: the SpawnCell of a browser. What the cell's main does on the server the page
// does here: it reads model files for the Worker, and hands over the engines' assets.

import type { BootSpec } from "../../plugins/runtime/boot/spec.ts";
import type { Channel } from "../../plugins/runtime/channel/channel.ts";
import { createChannel } from "../../plugins/runtime/channel/peer_channel.ts";
import type { Port } from "../../plugins/runtime/channel/port.ts";
import { transferred } from "../../plugins/runtime/channel/transfer.ts";
import { createWorkerPort, type PostTarget } from "../../plugins/runtime/channel/worker_port.ts";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import type { EngineName } from "../../plugins/runtime/contract/manifest.ts";
import type { Cell, CellExit, CellExitReason, SpawnCell } from "../../plugins/runtime/host/cell.ts";
import { type KeeperOrder, type KeeperReport, messageWindow } from "./keeper_message.ts";
import type { Keeper } from "./open_keeper.ts";

/** What Workers are made of, held by the page so that a start needs no server. */
export interface WorkerParts {
  /** The text of boot.js. */
  boot: string;
  engines: Partial<Record<EngineName, string>>;
  /** By the name that an engine asks for, such as "wllama.wasm"; NOT_FOUND for what is none of bkg's. */
  asset(name: string): Promise<Uint8Array<ArrayBuffer>>;
}

/** Files that the page's storage holds, by digest. */
export interface FileReader {
  /** Keeps the file from being evicted until the returned function is called. */
  use(digest: string): () => void;
  read(digest: string, range: { offset: number; length: number }): Promise<ArrayBuffer>;
}

export interface SpawnWorkerDeps {
  keeper(): Promise<Keeper>;
  parts(): WorkerParts;
  files: FileReader;
}

export function createSpawnWorker(deps: SpawnWorkerDeps): SpawnCell {
  return async (spec, { signal }) => {
    const keeper = await deps.keeper();
    signal.throwIfAborted();
    const { boot, engines, asset } = deps.parts();
    const wanted = Object.fromEntries(spec.engines.map((name) => [name, engines[name]]));
    const order: BootSpec = {
      code: spec.code,
      engines: wanted as BootSpec["engines"],
      native: [],
      transport: "messages",
    };
    const cell = new WorkerCell(keeper.start({ boot, spec: order }), { asset, files: deps.files });
    keeper.lost.then((error) => cell.kill("crashed", error.message));
    // A keeper that answers no ping is as good as dead, and would start nothing more.
    cell.exited.then(({ reason }) => reason === "unresponsive" && keeper.close());
    return cell;
  };
}

interface OpenFile {
  digest: string;
  size: number;
  release(): void;
}

class WorkerCell implements Cell {
  readonly pid = undefined;
  /** A page can hold a Worker to neither. */
  readonly enforcement = { memory: [], cpu: "none" } as const;
  readonly port: Port;
  readonly exited: Promise<CellExit>;
  readonly #link: MessagePort;
  readonly #main: Channel;
  readonly #asset: WorkerParts["asset"];
  readonly #reader: FileReader;
  readonly #files = new Map<unknown, OpenFile>();
  readonly #pings = new Map<number, () => void>();
  readonly #resolveExited: (exit: CellExit) => void;
  #nextPing = 1;
  #ended = false;

  constructor(
    link: MessagePort,
    { asset, files }: { asset: WorkerParts["asset"]; files: FileReader },
  ) {
    this.#link = link;
    this.#asset = asset;
    this.#reader = files;
    const { promise, resolve } = Promise.withResolvers<CellExit>();
    this.exited = promise;
    this.#resolveExited = resolve;
    const target = createTarget(link, (report) => this.#receive(report));
    this.port = createWorkerPort(target, "host");
    this.#main = createChannel(createWorkerPort(target, "main"), {
      handler: { call: (method, input) => this.#serve(method, input) },
      maxIncoming: 256,
    });
    this.#main.closed.then((error) => {
      if (error !== undefined) this.kill("protocol", error.message);
    });
  }

  openFile(handle: number, { path: digest, size }: { path: string; size: number }): void {
    this.#files.set(handle, { digest, size, release: this.#reader.use(digest) });
  }

  closeFile(handle: number): void {
    this.#files.get(handle)?.release();
    this.#files.delete(handle);
  }

  /** The keeper answers; the Worker may be busy all the same. */
  ping(timeoutMs: number): Promise<void> {
    const id = this.#nextPing++;
    return new Promise((resolve, reject) => {
      const giveUp = setTimeout(() => {
        this.#pings.delete(id);
        reject(new AppError("TIMEOUT", `The keeper did not answer within ${timeoutMs} ms`));
      }, timeoutMs);
      this.#pings.set(id, () => {
        clearTimeout(giveUp);
        this.#pings.delete(id);
        resolve();
      });
      this.#order({ kind: "ping", id });
    });
  }

  /** A page is not told what its Workers take. */
  usage(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  kill(reason: CellExitReason, message: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#order({ kind: "end" });
    this.#link.close();
    for (const handle of [...this.#files.keys()]) this.closeFile(handle as number);
    this.#main.close();
    this.port.close();
    this.#resolveExited({ reason, message });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("stopped", "Stopped");
    await this.exited;
  }

  #order(order: KeeperOrder): void {
    this.#link.postMessage(order);
  }

  #receive(report: Exclude<KeeperReport, { kind: "post" }>): void {
    if (report.kind === "pong") this.#pings.get(report.id)?.();
    else this.kill(report.reason, report.message);
  }

  /** As a cell's main: nothing that the Worker says is believed. */
  async #serve(method: string, input: unknown) {
    const request = (typeof input === "object" && input !== null ? input : {}) as Record<
      string,
      unknown
    >;
    switch (method) {
      case "read": {
        const bytes = new Uint8Array(await this.#read(request));
        return transferred({ bytes }, [bytes.buffer]);
      }
      case "asset": {
        const bytes = (await this.#asset(String(request["name"]))).slice();
        return transferred({ bytes }, [bytes.buffer]);
      }
      default:
        throw new AppError("NOT_FOUND", `The page has no method "${method.slice(0, 100)}"`);
    }
  }

  #read({ handle, offset, length }: Record<string, unknown>): Promise<ArrayBuffer> {
    const open = this.#files.get(handle);
    if (open === undefined) throw new AppError("NOT_FOUND", "The file is not open");
    if (!isCount(offset) || !isCount(length) || offset + length > open.size) {
      throw new AppError(
        "INVALID_INPUT",
        `The range ${offset} + ${length} lies outside the file's ${open.size} bytes`,
      );
    }
    if (length > maxReadBytes) {
      throw new AppError("PAYLOAD_TOO_LARGE", `One read takes at most ${maxReadBytes} bytes`);
    }
    return this.#reader.read(open.digest, { offset, length });
  }
}

const maxReadBytes = 512 * 1024 * 1024;

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** The Worker behind its keeper, as ports see it. Messages are told to the keeper as taken, some at a time. */
function createTarget(
  link: MessagePort,
  receive: (report: Exclude<KeeperReport, { kind: "post" }>) => void,
): PostTarget {
  const listeners = new Set<(event: MessageEvent) => void>();
  let taken = 0;
  link.onmessage = ({ data: report }: MessageEvent<KeeperReport>) => {
    if (report.kind !== "post") return receive(report);
    const event = new MessageEvent("message", { data: report.data });
    for (const listener of [...listeners]) listener(event);
    if (++taken < messageWindow / 4) return;
    link.postMessage({ kind: "taken", count: taken } satisfies KeeperOrder);
    taken = 0;
  };
  return {
    postMessage(data, transfer) {
      link.postMessage({ kind: "post", data, transfer } satisfies KeeperOrder, transfer);
    },
    addEventListener: (_type, listener) => void listeners.add(listener),
    removeEventListener: (_type, listener) => void listeners.delete(listener),
  };
}
