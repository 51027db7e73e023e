import assert from "node:assert/strict";
import { describeClient } from "./client_words.ts";

Deno.test("describeClient names browser and system, and tells what is neither as it is, capped", () => {
  const agents = {
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0": "Firefox on Linux",
    "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0":
      "Edge on Windows",
    "Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36":
      "Chrome on Android",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Mobile Safari/604.1":
      "Safari on iOS",
    "curl/8.14.1": "curl/8.14.1",
    "": "Unknown client",
  };
  for (const [client, words] of Object.entries(agents)) {
    assert.equal(describeClient(client), words);
  }
  assert.equal(describeClient("x".repeat(500)).length, 61);
  assert.equal(describeClient("\u202egnp").includes("\u202e"), false);
});
