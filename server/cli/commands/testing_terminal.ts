// The command line as a script has it: what it prints is kept, nothing is asked. Callers: tests of commands on a server.

import assert from "node:assert/strict";
import type { ComposedServer } from "../../testing/composed_server.ts";
import type { CliIo } from "../command.ts";
import { runCli } from "../main.ts";

/** `interruptAt`: Ctrl-C is pressed when stderr shows this. */
export function terminal(
  server: ComposedServer | undefined,
  { interruptAt }: { interruptAt?: RegExp } = {},
) {
  let interrupt = () => {};
  const bkg = async (args: readonly string[]) => {
    const printed = { out: "", err: "" };
    const io: CliIo = {
      env: server === undefined ? {} : { BKG_TOKEN: server.token, BKG_URL: server.url },
      out: (text) => void (printed.out += text),
      err(text) {
        printed.err += text;
        if (interruptAt?.test(text)) interrupt();
      },
      interactive: false,
      ...(interruptAt === undefined ? {} : { errColumns: 80 }),
      onInterrupt(listener) {
        interrupt = () => {
          interrupt = () => {};
          listener();
        };
        return () => interrupt = () => {};
      },
      readAll: () => Promise.resolve(""),
      openPrompt: () => assert.fail("nothing is asked"),
      askSecret: () => assert.fail("nothing is asked"),
      fetch: server === undefined ? () => assert.fail("no request was expected") : fetch,
    };
    return { code: await runCli(args, io), ...printed };
  };
  return { bkg };
}
