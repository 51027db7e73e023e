// The Worker that computes argon2id. It has no permissions. Built into dist/password_worker.js; caller: passwords.ts.

import { argon2id, argon2Verify } from "hash-wasm";
import type { PasswordAnswer, PasswordTask } from "./password_message.ts";

declare const self: {
  onmessage: ((event: MessageEvent<PasswordTask>) => void) | null;
  postMessage(answer: PasswordAnswer): void;
};

self.onmessage = async ({ data }) => {
  try {
    self.postMessage({ value: await compute(data) });
  } catch (error) {
    self.postMessage({ failed: String(error) });
  }
};

function compute(task: PasswordTask): Promise<string | boolean> {
  if (task.kind === "verify") return argon2Verify({ password: task.password, hash: task.hash });
  const { password, salt, cost } = task;
  return argon2id({
    password,
    salt,
    memorySize: cost.memoryKib,
    iterations: cost.passes,
    parallelism: 1,
    hashLength: 32,
    outputType: "encoded",
  });
}
