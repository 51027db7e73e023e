// A process that pulls one file and may be killed at any moment: `pull_child.ts <endpoint> <folder>`. It prints the
// digest, or the error's code. Callers: the tests of kills and of full disks.

import { AppError } from "../../plugins/runtime/contract/error.ts";
import { parseSource } from "../../models/source.ts";
import { downloadFiles } from "../../models/pull/download.ts";
import { createPullNetwork } from "../../models/pull/network.ts";
import { planPull } from "../../models/pull/plan.ts";
import { repo, testLimits } from "./pull_fixture.ts";

const [endpoint = "", folder = "", segmentBytes = "1048576"] = Deno.args;
const limits = { ...testLimits, segmentBytes: Number(segmentBytes) };
const network = createPullNetwork({ offline: false, endpoint, allowedPrivateHosts: [], limits });
const { signal } = new AbortController();
try {
  const plan = await planPull(parseSource(repo), network, { signal });
  const deps = { ...network, folder, freeBytes: () => Promise.resolve(1e12) };
  const [file] = await downloadFiles(plan, deps, { signal, progress() {} });
  console.log(file?.digest);
} catch (error) {
  console.log(error instanceof AppError ? error.code : String(error));
}
