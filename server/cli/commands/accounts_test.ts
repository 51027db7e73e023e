// `bkg user` and `bkg key` against the real application, without a network between.

import assert from "node:assert/strict";
import {
  goodPassword,
  openTestAccess,
  type TestAccess,
  visitor,
} from "../../testing/test_access.ts";
import { createTestApp, token } from "../../testing/test_app.ts";
import { openTestDatabase } from "../../testing/test_database.ts";
import type { CliIo } from "../command.ts";
import { runCli } from "../main.ts";

const database = await openTestDatabase();
Deno.test.afterAll(async () => await database[Symbol.asyncDispose]());

Deno.test("bkg user: mistakes on the command line are told, and nothing is asked of the server", async () => {
  const { io, printed } = terminal({ fetch: () => assert.fail("no request was expected") });
  for (
    const [args, pattern] of [
      [["user"], /needs one of: list, add/],
      [["user", "ad"], /did you mean "add"/],
      [["user", "add"], /needs a NAME/],
      [["key", "create"], /needs a NAME/],
      [["key", "create", "x"], /needs a --scope/],
      [["key", "revoke"], /needs an ID/],
      [["key", "create", "x", "--scope", "account", "--expires", "soon"], /such as 30m, 24h/],
    ] as const
  ) {
    assert.equal(await runCli(args, io), 2, args.join(" "));
    assert.match(printed.err, pattern);
  }
});

Deno.test("bkg user: add prints a link alone, once; list, role, disable, enable, delete", async () => {
  await withServer(async ({ bkg, access }) => {
    const added = await bkg(["user", "add", "Anna", "--scope", "invoke:*", "--scope", "account"]);
    assert.equal(added.code, 0);
    const [, code] = /^http:\/\/127\.0\.0\.1:43119\/#invitation=([\w-]{43})\n$/.exec(added.out)!;
    assert.match(added.err, /Give this link to anna/);
    await access.signIn.withInvitation(code!, goodPassword, visitor);
    const listed = await bkg(["user", "list"]);
    assert.match(listed.out, /^anna +user +active +invoke:\*, account +20\d\d-/m);
    assert.match(listed.out, /^admin +admin +active +- /m);
    assert.ok(!listed.out.includes(code!));
    assert.match((await bkg(["user", "role", "anna", "operator"])).out, /^anna: operator, active/);
    assert.match((await bkg(["user", "disable", "ANNA"])).out, /^anna: operator, disabled/);
    const invited = await bkg(["user", "invite", "anna"]);
    assert.deepEqual([invited.code, invited.out], [1, ""]);
    assert.match(invited.err, /is disabled/);
    assert.match((await bkg(["user", "enable", "anna"])).out, /^anna: operator, active/);
    assert.match((await bkg(["user", "invite", "anna"])).out, /#invitation=/);
    assert.equal((await bkg(["user", "delete", "anna"])).code, 2);
    assert.equal((await bkg(["user", "delete", "anna"], ["n"])).code, 1);
    assert.match((await bkg(["user", "delete", "anna"], ["y"])).out, /Deleted anna/);
    const gone = await bkg(["user", "disable", "anna"]);
    assert.deepEqual([gone.code, gone.err], [1, 'bkg: There is no user "anna"\n']);
    assert.match((await bkg(["user", "delete", "admin", "--yes"])).err, /cannot be deleted/);
    assert.match((await bkg(["user", "add", "x", "--role", "god"])).err, /There is no role "god"/);
    assert.match((await bkg(["user", "add", "a b"])).err, /"name" must be/);
  });
});

Deno.test("bkg user list: shows all of more than a page, and as JSON", async () => {
  await withServer(async ({ bkg, access }) => {
    await access.accounts.create({ name: "x-outsider", role: "user" });
    for (let count = 0; count < 205; count++) {
      await access.accounts.create({ name: `user-${count}`, role: "user" });
    }
    const { out } = await bkg(["user", "list", "--query", "user-", "--json"]);
    assert.equal(JSON.parse(out).length, 205);
    assert.match((await bkg(["user", "role", "user-204", "operator"])).out, /^user-204: operator/);
  });
});

Deno.test("bkg user reset-password: a typed password is set, and shown nowhere", async () => {
  await withServer(async ({ bkg, access }) => {
    const typed = await bkg(["user", "reset-password"], [
      ...["short", "admin", "a new long password", "another long password"],
      ...["a new long password", "a new long password"],
    ]);
    assert.equal(typed.code, 0, typed.err);
    assert.match(typed.err, /at least 10 characters[^]*two passwords/);
    assert.doesNotMatch(typed.out + typed.err, /new long password/);
    assert.match(typed.questions[0]!, /New password for "admin"/);
    const tokens = await access.signIn.withPassword("admin", "a new long password", visitor);
    const changed = await bkg(["user", "reset-password", "admin"], [""]);
    assert.match(changed.out, /^http:\S+#invitation=\S+\n$/);
    await assert.rejects(access.signIn.withPassword("admin", "a new long password", visitor), {
      code: "UNAUTHENTICATED",
    });
    await assert.rejects(async () => await access.auth.authenticate(tokens.token), {
      code: "UNAUTHENTICATED",
    });
    const left = await bkg(["user", "reset-password"], [undefined]);
    assert.deepEqual([left.code, left.out], [1, "Nothing was changed\n"]);
    assert.equal((await bkg(["user", "reset-password", "nobody"])).code, 1);
  });
});

Deno.test("bkg key: create prints the key alone, once; rotate, revoke, and of others with --all", async () => {
  await withServer(async ({ bkg, access }) => {
    await access.accounts.create({ name: "anna", role: "user" });
    const made = await bkg([
      ...["key", "create", "Anna's phone", "--user", "anna", "--expires", "90d"],
      ...["--scope", "invoke:llm.chat", "--scope", "plugins:read"],
    ]);
    assert.equal(made.code, 0, made.err);
    const [, id] = /^bkg_([a-z0-9]{12})_[\w-]{43}\n$/.exec(made.out)!;
    const works = async (key: string) => {
      try {
        return (await access.auth.authenticate(key.trim())).name;
      } catch {
        return "nobody";
      }
    };
    assert.equal(await works(made.out), "anna");
    assert.equal((await bkg(["key", "list"])).out, "");
    for (const args of [["--all"], ["--user", "anna"]]) {
      const { out } = await bkg(["key", "list", ...args]);
      assert.match(out, /^[a-z0-9]{12} +Anna's phone +anna +invoke:llm\.chat, plugins:read +20/m);
      assert.ok(!out.includes(made.out.trim()));
    }
    assert.match((await bkg(["key", "revoke", id!])).err, /There is no key/);
    const rotated = await bkg(["key", "rotate", id!, "--overlap", "0", "--all"]);
    assert.match(rotated.err, /shown this once; the old one has ended/);
    assert.deepEqual([await works(made.out), await works(rotated.out)], ["nobody", "anna"]);
    assert.equal((await bkg(["key", "revoke", id!, "--all"])).code, 0);
    assert.equal(await works(rotated.out), "nobody");
    const own = await bkg(["key", "create", "ci", "--scope", "*"]);
    assert.equal(await works(own.out), "admin");
    const beyond = await bkg(["key", "create", "k", "--user", "anna", "--scope", "*"]);
    assert.deepEqual([beyond.code, beyond.out], [1, ""]);
    assert.match(beyond.err, /The user "anna" lacks the scope "\*"/);
  });
});

interface Printed {
  code: number;
  out: string;
  err: string;
  questions: string[];
}

async function withServer(
  run: (world: {
    access: TestAccess;
    /** With answers, somebody sits at the terminal. */
    bkg(args: readonly string[], answers?: (string | undefined)[]): Promise<Printed>;
  }) => Promise<void>,
): Promise<void> {
  await database.db.transaction(({ script }) => script("truncate roles, users cascade"));
  await using access = await openTestAccess(database.db, { now: Date.now });
  const { auth, signIn, accounts, keys: apiKeys } = access;
  const { app } = createTestApp({}, { auth, signIn, accounts, apiKeys });
  try {
    await run({
      access,
      async bkg(args, answers) {
        const { io, printed } = terminal({
          answers,
          fetch: (url, init) => app.fetch(new Request(url, init)),
        });
        const code = await runCli(args, io);
        return { code, ...printed };
      },
    });
  } finally {
    app.close();
  }
}

function terminal({ answers, fetch: doFetch }: {
  answers?: (string | undefined)[] | undefined;
  fetch: (url: RequestInfo | URL, init?: RequestInit) => Promise<Response>;
}) {
  const printed = { out: "", err: "", questions: [] as string[] };
  const ask = (question: string) => {
    printed.questions.push(question);
    assert.ok(answers !== undefined && answers.length > 0, question);
    return Promise.resolve(answers.shift());
  };
  const io: CliIo = {
    env: { BKG_TOKEN: token },
    out: (text) => void (printed.out += text),
    err: (text) => void (printed.err += text),
    interactive: answers !== undefined,
    readAll: () => assert.fail("nothing is read"),
    openPrompt: () => ({ ask, onInterrupt: undefined, [Symbol.dispose]: () => {} }),
    askSecret: ask,
    fetch: doFetch as typeof fetch,
  };
  return { io, printed };
}
