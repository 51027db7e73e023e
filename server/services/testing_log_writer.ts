// For the test that kills it: appends a line every 5 ms, and says its number 500 ms later.

import { openPluginLogs } from "./plugin_logs.ts";

const logs = openPluginLogs({ folder: Deno.args[0]!, failed: console.error });
let seq = 1;
setInterval(() => {
  const said = seq++;
  logs.append("a", { seq: said, atMs: 1, level: "info", source: "plugin", message: "line" });
  setTimeout(() => console.log(said), 500);
}, 5);
