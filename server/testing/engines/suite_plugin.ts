// The engines' suite as a plugin in a cell: one case a call.

import { definePlugin } from "@bkg/plugin";
import { type CaseOrder, runCase } from "../../../plugins/runtime/engines/conformance/run_case.ts";

export default definePlugin({
  capabilities: {
    "suite.case": async (order: CaseOrder, { ctx }) => {
      await runCase(order, { engines: ctx.engines, open: (name) => ctx.models.open(name) });
      return null;
    },
  },
});
