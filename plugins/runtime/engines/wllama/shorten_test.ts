import assert from "node:assert/strict";
import { AppError } from "../../contract/error.ts";
import { shorten, Shortening } from "./shorten.ts";

const overflow = (promptTokens: number) =>
  new AppError("CONTEXT_OVERFLOW", "too long", { details: { promptTokens } });

Deno.test("Shortening helps nobody who did not ask for it, and no other error", () => {
  const strict = new Shortening({ prompt: "x".repeat(100) }, {}, 10);
  assert.equal(strict.refused(overflow(100)), false);
  const lenient = new Shortening({ prompt: "x" }, { overflow: "truncate-middle" }, 10);
  assert.equal(lenient.refused(new AppError("INVALID_INPUT", "no")), false);
});

Deno.test("Shortening refuses at once what is too long for any vocabulary", () => {
  const prompt = "x".repeat(10_000_000);
  assert.throws(() => new Shortening({ prompt }, {}, 4096), {
    code: "CONTEXT_OVERFLOW",
    details: { promptTokens: 78_125, contextLength: 4096 },
  });
  const cut = new Shortening({ prompt }, { overflow: "truncate-middle" }, 4096).input;
  assert.equal("prompt" in cut && cut.prompt.length, 4096 * 32);
});

Deno.test("Shortening ends after some tries", () => {
  const stubborn = new Shortening(
    { prompt: "x".repeat(1000) },
    { overflow: "truncate-middle" },
    10,
  );
  let tries = 0;
  while (stubborn.refused(overflow(10))) tries++;
  assert.equal(tries, 8);
});

Deno.test("Shortening leaves room for maxTokens, or for a quarter of the context", () => {
  const lengthFor = (maxTokens: number) => {
    const call = new Shortening({ prompt: "x".repeat(1000) }, {
      overflow: "truncate-middle",
      maxTokens,
    }, 100);
    assert.equal(call.refused(overflow(1000)), true);
    assert.equal(call.truncatedTokens(70), 930);
    return "prompt" in call.input ? call.input.prompt.length : 0;
  };
  assert.equal(lengthFor(10), Math.floor(90 * 0.98));
  assert.equal(lengthFor(1000), Math.floor(75 * 0.98));
});

Deno.test("shorten keeps both ends of a text, in whole characters", () => {
  assert.deepEqual(shorten({ prompt: "abcdefghij" }, 4), { prompt: "abij" });
  const emoji = shorten({ prompt: "🙂🙂🙂🙂" }, 4);
  assert.deepEqual(emoji, { prompt: "🙂🙂" });
  for (let length = 0; length < 8; length++) {
    const cut = shorten({ prompt: "🙂🙂🙂🙂" }, length) as { prompt: string };
    assert.ok(cut.prompt.isWellFormed() && cut.prompt.length <= length, `${length}`);
  }
});

Deno.test("shorten leaves out whole messages first, then the middle of the longest", () => {
  const turn = (role: string, content: string) => ({ role, content });
  const messages = [
    turn("system", "rules"),
    turn("user", "old question"),
    turn("assistant", "old answer"),
    turn("user", "question"),
    turn("assistant", "answer"),
    turn("user", "the last one"),
  ];
  const whole = messages.reduce((sum, { content }) => sum + content.length, 0);
  assert.deepEqual(shorten({ messages }, whole), { messages });
  assert.deepEqual(shorten({ messages }, whole - 1), {
    messages: [messages[0], messages[3], messages[4], messages[5]],
  });
  assert.deepEqual(shorten({ messages }, 20), { messages: [messages[0], messages[5]] });
  assert.deepEqual(shorten({ messages }, 9), {
    messages: [turn("system", "rules"), turn("user", "thne")],
  });
  assert.deepEqual(shorten({ messages }, 0), {
    messages: [turn("system", ""), turn("user", "")],
  });
});
