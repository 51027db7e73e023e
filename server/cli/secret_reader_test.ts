import assert from "node:assert/strict";
import { createSecretReader } from "./secret_reader.ts";

Deno.test("createSecretReader shows nothing, and leaves the terminal as it was", async () => {
  const terminal = typing("hush\r");
  assert.equal(await terminal.ask("Password: "), "hush");
  assert.equal(terminal.written(), "Password: \n");
  // Who answers as soon as he is asked is not shown either.
  assert.deepEqual(terminal.events, [true, "Password: ", false, "\n"]);
});

Deno.test("createSecretReader takes back characters, lines, and what was typed ahead", async () => {
  assert.equal(await typing("pässé\x7f\x7fe\r").ask(""), "päse");
  assert.equal(await typing("\x7f\x7fa\x08b\r").ask(""), "b");
  assert.equal(await typing("wrong\x15right\n").ask(""), "right");
  const two = typing("one\rtwo\r");
  assert.deepEqual([await two.ask(""), await two.ask("")], ["one", "two"]);
  // A character in two pieces.
  assert.equal(await typing("é\r", 1).ask(""), "é");
});

Deno.test("createSecretReader ends at Ctrl-C and at the end of the input, the terminal in order", async () => {
  for (const keys of ["secret\x03", "\x04", "", "half"]) {
    const terminal = typing(keys);
    assert.equal(await terminal.ask(""), undefined);
    assert.deepEqual(terminal.modes(), [true, false]);
  }
  const broken = typing("", 1, () => Promise.reject(new Error("gone")));
  await assert.rejects(broken.ask(""), /gone/);
  assert.deepEqual(broken.modes(), [true, false]);
});

function typing(text: string, pieceBytes = 1000, read?: () => Promise<null>) {
  let bytes = new TextEncoder().encode(text);
  let written = "";
  const events: (boolean | string)[] = [];
  const ask = createSecretReader({
    read: read ?? ((buffer) => {
      if (bytes.length === 0) return Promise.resolve(null);
      const piece = bytes.subarray(0, Math.min(pieceBytes, buffer.length));
      buffer.set(piece);
      bytes = bytes.subarray(piece.length);
      return Promise.resolve(piece.length);
    }),
    setRaw: (raw) => void events.push(raw),
    write(more) {
      events.push(more);
      written += more;
    },
  });
  const modes = () => events.filter((event) => typeof event === "boolean");
  return { ask, events, modes, written: () => written };
}
