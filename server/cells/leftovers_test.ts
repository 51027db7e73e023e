import assert from "node:assert/strict";
import { join } from "node:path";
import { cellName, sweepLeftovers } from "./leftovers.ts";

Deno.test("sweepLeftovers removes what a dead server's cells left, and nothing else", async () => {
  const folder = await Deno.makeTempDir();
  const child = new Deno.Command(Deno.execPath(), { args: ["--version"], stdout: "null" }).spawn();
  await child.status;
  const dead = `bkg-cell-${child.pid}-0a1b2c3d`;
  const kept = [cellName(), "bkg-cell-", `other-${child.pid}-0a1b2c3d`].sort();
  for (const name of [dead, ...kept]) {
    await Deno.mkdir(join(folder, name, "deno"), { recursive: true });
  }
  sweepLeftovers(folder, { recursive: true });
  assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), kept);
  sweepLeftovers(join(folder, "nowhere"), { recursive: true });
  await Deno.remove(folder, { recursive: true });
});

Deno.test("sweepLeftovers goes on past what it cannot remove", async () => {
  const folder = await Deno.makeTempDir();
  const child = new Deno.Command(Deno.execPath(), { args: ["--version"], stdout: "null" }).spawn();
  await child.status;
  const names = ["a", "b", "c", "d"].map((end) => `bkg-cell-${child.pid}-${end}`);
  for (const name of names) await Deno.mkdir(join(folder, name));
  const [first = "", , third = ""] = names;
  for (const name of [first, third]) await Deno.writeTextFile(join(folder, name, "full"), "");
  sweepLeftovers(folder, { recursive: false });
  assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), [first, third]);
  await Deno.remove(folder, { recursive: true });
});
