// Memory: what the machine has, or its control group allows, against what bkg needs. Caller: `bkg doctor`.

import { readGroupLimits } from "../../services/control_group.ts";
import { type Finding, inBinaryUnits } from "./finding.ts";

export interface MemoryFacts {
  totalBytes: number;
  availableBytes: number;
  /** Of the control group; undefined: none. */
  limitBytes: number | undefined;
}

export function checkMemory(facts: MemoryFacts = readMemory()): Finding {
  const what = "memory";
  const { totalBytes, availableBytes, limitBytes } = facts;
  const isLimited = limitBytes !== undefined && limitBytes < totalBytes;
  const usable = isLimited ? limitBytes : totalBytes;
  const text = inBinaryUnits(usable) + (isLimited ? " by its control group's limit" : "");
  if (usable < needToRun) {
    return {
      state: "fail",
      what,
      message: `${text}: the server and one plugin need ${inBinaryUnits(needToRun)}`,
    };
  }
  if (usable < needToWork) {
    return {
      state: "warn",
      what,
      message: `${text}: enough for small models; a language model wants its file's size and half`,
    };
  }
  const free = `${inBinaryUnits(Math.min(availableBytes, usable))} free`;
  return availableBytes < needToRun
    ? { state: "warn", what, message: `${text}, but only ${free}: other programs have the rest` }
    : { state: "ok", what, message: `${text}, ${free}` };
}

export function readMemory(): MemoryFacts {
  const { total, available } = Deno.systemMemoryInfo();
  return {
    totalBytes: total,
    availableBytes: available,
    limitBytes: readGroupLimits().memoryBytes,
  };
}

/** The server idles at some 300 MiB, and a plugin with a small model needs as much. */
const needToRun = 600 * 1_048_576;
const needToWork = 2 * 1024 * 1_048_576;
