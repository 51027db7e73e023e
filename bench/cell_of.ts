// A server under measurement: what is posted to it, and the cell that it runs.

import type { ServerProcess } from "../server/testing/server_process.ts";

/** Throws what the server said when it did not take it. */
export async function postJson(
  server: ServerProcess,
  address: string,
  body: unknown,
): Promise<void> {
  const response = await server.fetch(address, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${address} answered ${response.status}: ${text}`);
}

/** Lets native engines open the model; its files are read for it. */
export async function trustModel(server: ServerProcess, id: string): Promise<void> {
  await postJson(server, `/api/models/${id}/trust`, { trusted: true });
  for (let tries = 0; tries < 300; tries++) {
    const response = await server.fetch(`/api/models/${id}`);
    const { trusted } = await response.json() as { trusted?: boolean };
    if (trusted) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`the model "${id}" is not trusted`);
}

/** The process id of the child that runs a plugin. */
export function findCell({ pid }: ServerProcess): number {
  for (const task of Deno.readDirSync(`/proc/${pid}/task`)) {
    const children = Deno.readTextFileSync(`/proc/${pid}/task/${task.name}/children`);
    for (const child of children.split(" ").filter((id) => /^\d+$/.test(id))) {
      const command = Deno.readTextFileSync(`/proc/${child}/cmdline`).split("\0");
      if (command.some((word) => word.endsWith("/cell.js"))) return Number(child);
    }
  }
  throw new Error("the server has no cell");
}
