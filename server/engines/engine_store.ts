// The engines of this server on its disk: which are on, whose packages are here, whether their files are what was
// fetched. Callers: compose, the jobs that add engines. Invariant: a cell gets no file whose digest this run has not seen.

import { join } from "node:path";
import { z } from "zod";
import { makeFolder, syncFolder, writeDurably } from "../../models/store/durable.ts";
import type { EngineId } from "../../plugins/runtime/contract/engine_choice.ts";
import { engineIds } from "../../plugins/runtime/contract/engine_choice.ts";
import { nativeVariants } from "../../plugins/runtime/contract/native_engine.ts";
import type { InstalledEngine } from "../cells/native/native_engines.ts";
import type { FetchedPackage } from "./fetch_package.ts";
import { type EnginePin, enginePins, folderName, pinsOf, type System } from "./pins.ts";
import { changedFile, misplacedFile } from "./file_check.ts";

export interface EngineStore {
  readonly system: System;
  isOn(id: EngineId): boolean;
  /** The packages of an engine for this system; none where it is unsupported, and of "webgpu". */
  packages(id: EngineId): EnginePin[];
  /** What is wrong with a package here, by names and sizes alone; undefined: nothing. */
  problem(pin: EnginePin): Promise<string | undefined>;
  /** Of the package's files here; 0 when it is not. */
  bytes(pin: EnginePin): number;
  /** What cells may use now: of each engine the most capable that is on and whole. */
  installed(): Promise<InstalledEngine[]>;
  /** A folder for one job, which finds there what it left. */
  openWork(jobId: string): Promise<string>;
  removeWork(jobId: string): Promise<void>;
  /** Removes what was left here, but for jobs that may go on, by id, with the engine that each adds. */
  sweep(kept: ReadonlyMap<string, EngineId>): Promise<void>;
  /** Packages of the engine stay, as if it were on, until the answer is disposed. */
  hold(id: EngineId): Disposable;
  /** Moves a package to where cells may be given it, in the place of an older one. */
  adopt(pin: EnginePin, fetched: FetchedPackage): Promise<void>;
  turnOn(id: EngineId): Promise<void>;
  turnOff(id: EngineId): Promise<void>;
  /** Removes the packages that nothing which is on or held needs. */
  removeUnused(): Promise<void>;
}

export interface EngineStoreOptions {
  dataDir: string;
  /** Told of damage that only the digests show. */
  log: { error(message: string, fields?: Record<string, unknown>): void };
  /** Default bkg's own. */
  pins?: readonly EnginePin[] | undefined;
  /** Default this one. */
  system?: System | undefined;
}

export async function openEngineStore(options: EngineStoreOptions): Promise<EngineStore> {
  const { log, pins = enginePins } = options;
  const { system = { os: Deno.build.os, arch: Deno.build.arch } } = options;
  const root = join(options.dataDir, "engines");
  const statePath = join(root, "engines.json");
  const workRoot = join(root, "partial");
  let state = await readState(statePath, log);
  let writing: Promise<void> = Promise.resolve();
  const held = new Set<{ id: EngineId }>();
  /** By folder: whether its digests agreed, asked once in a run of the server. */
  const checks = new Map<string, Promise<string | undefined>>();

  /** One after the other, and in force once it is durable. */
  function update(change: (state: State) => State): Promise<void> {
    const written = writing.then(async () => {
      const next = change(state);
      await makeFolder(root);
      await writeDurably(statePath, JSON.stringify(next, null, 2) + "\n");
      state = next;
    });
    writing = written.catch(() => {});
    return written;
  }

  function forget(names: readonly string[]): Promise<void> {
    return update(({ on, packages }) => ({
      on,
      packages: Object.fromEntries(
        Object.entries(packages).filter(([name]) => !names.includes(name)),
      ),
    }));
  }

  async function removeUnused(also: readonly EngineId[] = []): Promise<void> {
    const wanted = [...state.on, ...also, ...[...held].map(({ id }) => id)];
    const needed = new Set(wanted.flatMap(store.packages).map(folderName));
    const unused = Object.keys(state.packages).filter((name) => !needed.has(name));
    if (unused.length > 0) await forget(unused);
    // Also what a kill left without an entry; what a job works on is elsewhere.
    for (const name of await namesIn(root)) {
      if (!folderPattern.test(name) || name in state.packages || needed.has(name)) continue;
      checks.delete(name);
      await removeFolder(join(root, name));
    }
  }

  async function problem(pin: EnginePin): Promise<string | undefined> {
    const name = folderName(pin);
    const found = state.packages[name];
    if (found === undefined) return "it is not here";
    if (found.integrity !== pin.integrity) {
      return `version ${found.version} is here, and this bkg needs ${pin.version}`;
    }
    return await misplacedFile(join(root, name), found.files) ?? await checks.get(name);
  }

  /** Reads every byte, the first time. */
  async function isWhole(pin: EnginePin): Promise<boolean> {
    if (await problem(pin) !== undefined) return false;
    const name = folderName(pin);
    const known = checks.get(name);
    if (known !== undefined) return await known === undefined;
    const check = changedFile(join(root, name), state.packages[name]!.files);
    checks.set(name, check);
    const changed = await check;
    if (changed !== undefined) {
      log.error("a native engine is damaged, and no plugin is given it", { name, why: changed });
    }
    return changed === undefined;
  }

  const store: EngineStore = {
    system,
    isOn: (id) => state.on.includes(id),
    packages: (id) => pinsOf(id, { pins, system }),
    problem,
    bytes: (pin) =>
      state.packages[folderName(pin)]?.files.reduce((sum, { size }) => sum + size, 0) ?? 0,
    async installed() {
      const found = new Map<string, InstalledEngine>();
      for (const id of [...nativeVariants].reverse().filter(store.isOn)) {
        for (const pin of store.packages(id)) {
          const { engine, variant, version } = pin;
          if (found.has(engine) || !await isWhole(pin)) continue;
          found.set(engine, { engine, variant, version, folder: join(root, folderName(pin)) });
        }
      }
      return [...found.values()];
    },
    async openWork(jobId) {
      const folder = join(workRoot, jobId);
      await makeFolder(folder);
      return folder;
    },
    removeWork: (jobId) => removeFolder(join(workRoot, jobId)),
    async sweep(kept) {
      for (const name of await namesIn(workRoot)) {
        if (!kept.has(name)) await removeFolder(join(workRoot, name));
      }
      await removeUnused([...kept.values()]);
    },
    hold(id) {
      const own = { id };
      held.add(own);
      return { [Symbol.dispose]: () => void held.delete(own) };
    },
    async adopt(pin, { folder, files }) {
      const name = folderName(pin);
      // First forgotten and then replaced: a kill in between leaves a folder that nobody vouches for.
      if (name in state.packages) await forget([name]);
      await removeFolder(join(root, name));
      await Deno.rename(folder, join(root, name));
      await syncFolder(root);
      checks.delete(name);
      const { version, integrity } = pin;
      await update(({ on, packages }) => ({
        on,
        packages: { ...packages, [name]: { package: pin.name, version, integrity, files } },
      }));
    },
    turnOn: (id) => update((now) => now.on.includes(id) ? now : { ...now, on: [...now.on, id] }),
    turnOff: (id) => update((now) => ({ ...now, on: now.on.filter((other) => other !== id) })),
    removeUnused: () => removeUnused(),
  };
  return store;
}

const folderPattern = /^(?:llama|onnxruntime)-[a-z]+$/;

const stateShape = z.object({
  on: z.array(z.enum(engineIds)),
  packages: z.record(
    z.string().regex(folderPattern),
    z.object({
      package: z.string(),
      version: z.string(),
      integrity: z.string(),
      files: z.array(z.object({ path: z.string(), size: z.int(), digest: z.string() })),
    }),
  ),
});

type State = z.infer<typeof stateShape>;

/** What cannot be read counts as nothing: engines are off until somebody adds them. */
async function readState(path: string, log: EngineStoreOptions["log"]): Promise<State> {
  try {
    return stateShape.parse(JSON.parse(await Deno.readTextFile(path)));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) {
      log.error("what is known of engines cannot be read, and all are off", { error });
    }
    return { on: [], packages: {} };
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

async function removeFolder(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}
