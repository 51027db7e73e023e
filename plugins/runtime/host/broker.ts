// Serves the calls that a plugin makes of its host. Nothing is believed: each call is checked against the
// grant as it is now, and audited. One broker is open per cell; it ends with the cell.

import { type AuthMethod, authMethods } from "../contract/auth_service.ts";
import { AppError, toAppError } from "../contract/error.ts";
import type { Grant, ServiceName } from "../contract/grant.ts";
import { type ModelSummary, summarizeModel } from "../contract/model_summary.ts";
import { covers } from "../contract/permission_list.ts";
import type { AuditTrail } from "./audit_trail.ts";
import type { Cell } from "./cell.ts";
import { toPlainText } from "../contract/plain_text.ts";
import type { Principal } from "./host.ts";
import type { ServedCalls } from "./served_calls.ts";
import type { ThreadBudget } from "./thread_budget.ts";

/** The models that a plugin can be given; the server's store, or a page's. */
export interface ModelService {
  list(): Promise<readonly ModelSummary[]>;
  /** Throws NOT_FOUND or INVALID_MODEL. */
  open(id: string): Promise<OpenedModel>;
}

/** A model that is lent: it stays where it is until it is given back. */
export interface OpenedModel extends ModelSummary {
  /** `path` never reaches the plugin. */
  files: readonly { name: string; path: string; size: number; fingerprint?: string }[];
  /** Called once. */
  release(): void;
}

/** Accounts of the server; a page has none. */
export interface AuthHost {
  /** `input` is the plugin's word; `principal` is who called the plugin, and the host's. */
  call(method: AuthMethod, input: unknown, principal: Principal): Promise<unknown>;
}

export interface BrokerDeps {
  pluginId: string;
  /** Read at every call, so that a revoke holds at once. */
  grant: () => Grant;
  models: ModelService;
  /** This and `calls`: for plugins that act for who calls them. */
  auth?: AuthHost | undefined;
  calls?: ServedCalls | undefined;
  threads: ThreadBudget;
  audit: AuditTrail;
}

export interface Broker {
  /** Answers one call of the plugin; throws or rejects AppError. */
  call(method: string, input: unknown): unknown;
  /** Closes what the grant covers no more. */
  grantChanged(): void;
  /** Gives back what the cell held. */
  close(): void;
}

/** Opens the broker of one cell. */
export function openBroker(
  cell: Pick<Cell, "openFile" | "closeFile">,
  { pluginId, grant, models, auth, calls, threads, audit }: BrokerDeps,
): Broker {
  const account = threads.open();
  const opened = new Map<number, { model: OpenedModel; fileHandles: number[] }>();
  const principal = `plugin:${pluginId}`;
  let nextHandle = 1;
  let closed = false;

  const methods: ReadonlyMap<string, (input: Record<string, unknown>) => unknown> = new Map<
    string,
    (input: Record<string, unknown>) => unknown
  >([
    ["models.list", listModels],
    ["models.open", ({ id }) => openModel(readText(id, "id"))],
    ["models.close", ({ handle }) => closeModel(Number(handle))],
    ["threads.take", ({ wanted }) => account.take(Number(wanted))],
    ["threads.release", ({ lease }) => releaseThreads(Number(lease))],
    ...authMethods.map((name) =>
      [
        `auth.${name}`,
        ({ input, call }: Record<string, unknown>) => callAuth(name, input, call),
      ] as const
    ),
  ]);

  return {
    call(method, input) {
      const serve = methods.get(method);
      if (serve === undefined) {
        throw new AppError("NOT_FOUND", `This host has no service call "${method.slice(0, 100)}"`);
      }
      return serve(isRecord(input) ? input : {});
    },
    grantChanged() {
      for (const [handle, { model }] of [...opened]) {
        if (!mayOpen(model.id)) closeModel(handle);
      }
    },
    close() {
      closed = true;
      for (const { model } of opened.values()) model.release();
      opened.clear();
      account.close();
    },
  };

  async function listModels(): Promise<ModelSummary[]> {
    requireService("models", "models.list");
    const all = await models.list();
    audit.add(principal, "service", "models.list", "ok");
    return all.filter(({ id }) => mayOpen(id));
  }

  async function openModel(id: string) {
    const object = `models.open ${toPlainText(id, 200)}`;
    requireService("models", object);
    requireModel(id, object);
    let model: OpenedModel | undefined;
    try {
      requireRoom();
      model = await models.open(id);
      // While it was opened the grant may have gone, and an alias may have led elsewhere.
      requireService("models", object);
      requireModel(model.id, object);
      requireRoom();
      if (closed) throw new AppError("CELL_LOST", "The cell is gone");
      const { trusted = false } = model;
      const files = model.files.map(({ name, path, size, fingerprint }) => {
        const handle = nextHandle++;
        cell.openFile(handle, { path, size, trusted, fingerprint });
        return { name, size, handle };
      });
      const handle = nextHandle++;
      opened.set(handle, { model, fileHandles: files.map((file) => file.handle) });
      audit.add(principal, "service", object, "ok");
      return { ...summarizeModel(model), handle, files };
    } catch (error) {
      model?.release();
      const failure = toAppError(error);
      if (failure.code !== "GRANT_DENIED") audit.add(principal, "service", object, "failed");
      throw failure;
    }
  }

  /** For who called the plugin, whoever the plugin says that is. */
  async function callAuth(name: AuthMethod, input: unknown, callId: unknown): Promise<unknown> {
    const object = `auth.${name}`;
    requireService("auth", object);
    if (auth === undefined || calls === undefined) {
      throw new AppError("UNSUPPORTED_FEATURE", "This host has no accounts");
    }
    const { call, principal: caller } = calls.find(callId);
    try {
      call.refusal = undefined;
      const value = await auth.call(name, input, caller);
      audit.add(principal, "service", `${object} for ${caller.id}`, "ok");
      return value;
    } catch (error) {
      call.refusal = toAppError(error);
      const outcome = call.refusal.code === "FORBIDDEN" ? "denied" : "failed";
      audit.add(principal, "service", `${object} for ${caller.id}`, outcome);
      throw call.refusal;
    }
  }

  function closeModel(handle: number): null {
    const open = opened.get(handle);
    if (open === undefined) return null;
    opened.delete(handle);
    for (const fileHandle of open.fileHandles) cell.closeFile(fileHandle);
    open.model.release();
    return null;
  }

  function releaseThreads(lease: number): null {
    account.release(lease);
    return null;
  }

  function mayOpen(id: string): boolean {
    const { services, models: entries } = grant();
    return services.includes("models") && covers(entries, id);
  }

  function requireRoom(): void {
    if (opened.size < maxOpenModels) return;
    throw new AppError("CONFLICT", `A plugin may hold ${maxOpenModels} open models`);
  }

  function requireService(service: ServiceName, object: string): void {
    if (!grant().services.includes(service)) throw denied(`services: ${service}`, object);
  }

  function requireModel(id: string, object: string): void {
    if (!covers(grant().models, id)) throw denied(`models: ${id}`, object);
  }

  function denied(permission: string, object: string): AppError {
    audit.add(principal, "service", object, "denied");
    return new AppError(
      "GRANT_DENIED",
      `Plugin "${pluginId}" was not granted "${permission}": run "bkg plugin grant ${pluginId}"`,
      { details: { permission, pluginId } },
    );
  }
}

const maxOpenModels = 64;

function readText(value: unknown, name: string): string {
  if (typeof value === "string" && value.length > 0 && value.length <= 500) return value;
  throw new AppError("INVALID_INPUT", `"${name}" must be a string of 1 to 500 characters`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
