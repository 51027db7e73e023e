// `bkg login`: a link that signs a browser in, once.

import { toPlainLines } from "../../../plugins/runtime/contract/plain_text.ts";
import { connect } from "../client.ts";
import { clientOptions, type Command, exitCodes } from "../command.ts";

export const login: Command = {
  name: "login",
  summary: "Print a link that signs a browser in.",
  usage: ["login [--json]"],
  options: clientOptions,
  details: [
    'The link signs in once, within 15 minutes, as the user "admin"; the session it begins lasts',
    "30 days from its last use, a year at most, or until it signs out.",
  ],
  async run(args, io) {
    const client = await connect(args, io);
    const made = await client.send<SignInCode>("POST", "/auth/codes");
    if (args.flag("json")) {
      io.out(toPlainLines(JSON.stringify(made, null, 2)) + "\n");
      return exitCodes.ok;
    }
    io.err("Open this link in a browser; it signs in once, within 15 minutes:\n");
    io.out(toPlainLines(made.url) + "\n");
    return exitCodes.ok;
  },
};

interface SignInCode {
  code: string;
  url: string;
  expiresAtMs: number;
}
