import assert from "node:assert/strict";
import { join } from "node:path";
import { createOperatorLookUp, openOperatorKey, operatorKeyPath } from "./operator_key.ts";

const posix = Deno.build.os !== "windows";

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("openOperatorKey refuses a link and a file that is no key", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(join(folder, "other"), "x");
    await Deno.symlink(join(folder, "other"), operatorKeyPath(folder));
    await assert.rejects(openOperatorKey(folder), { code: "FORBIDDEN" });
    await Deno.remove(operatorKeyPath(folder));
    await Deno.writeTextFile(operatorKeyPath(folder), "short");
    await assert.rejects(openOperatorKey(folder), { code: "INVALID_INPUT" });
  });
});

Deno.test({
  name: "openOperatorKey refuses a shared folder and leaves its mode",
  ignore: !posix,
  fn: () =>
    withFolder(async (folder) => {
      await Deno.chmod(folder, 0o1777);
      await assert.rejects(openOperatorKey(folder), { code: "FORBIDDEN" });
      assert.equal((await Deno.stat(folder)).mode! & 0o7777, 0o1777);
    }),
});

Deno.test({
  name: "openOperatorKey makes a key once, and narrows what is open, with a message",
  ignore: !posix,
  fn: () =>
    withFolder(async (parent) => {
      const folder = join(parent, "data");
      const first = await openOperatorKey(folder);
      assert.match(first.token, /^bkg_operator_[A-Za-z0-9_-]{43}$/);
      assert.equal(first.created, true);
      assert.equal((await Deno.stat(folder)).mode! & 0o777, 0o700);
      assert.equal((await Deno.stat(first.path)).mode! & 0o777, 0o600);
      await Deno.chmod(first.path, 0o644);
      const second = await openOperatorKey(folder);
      assert.equal(second.token, first.token);
      assert.equal(second.created, false);
      assert.match(second.repaired[0]!, /mode 644.*now 600/);
      assert.equal((await Deno.stat(first.path)).mode! & 0o777, 0o600);
      assert.deepEqual((await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name), [
        "admin-token",
      ]);
    }),
});

Deno.test("openOperatorKey: starts at the same moment agree on one key", () =>
  withFolder(async (parent) => {
    const folder = join(parent, "data");
    const keys = await Promise.all(Array.from({ length: 8 }, () => openOperatorKey(folder)));
    assert.equal(new Set(keys.map(({ token }) => token)).size, 1);
    assert.equal(keys.filter(({ created }) => created).length, 1);
  }));

Deno.test("createOperatorLookUp knows its key alone, before and after a success", () => {
  const token = "bkg_operator_" + "A".repeat(43);
  const find = createOperatorLookUp(token);
  const wrong = ["", "x", token.toLowerCase(), token + " ", token.slice(0, -1)];
  for (const bearer of wrong) assert.equal(find(bearer), undefined);
  const { id, name, role, scopes, credential } = find(token)!;
  assert.deepEqual([id, name, role, credential], ["operator", "admin", "admin", {
    kind: "operator",
  }]);
  assert.equal(scopes.allows("users:manage"), true);
  assert.equal(find(token), find(token));
  for (const bearer of wrong) assert.equal(find(bearer), undefined);
});
