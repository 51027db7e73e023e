// What a machine means for models, and what to do about a pull that failed, in words. Caller: the first run's page.

import type { WireError } from "../../plugins/runtime/contract/error.ts";
import type { Machine } from "../api/machine.ts";
import type { BrowserGpu } from "../stores/machine_here.ts";
import { formatPlural } from "./format.ts";
import { formatAbout } from "./fit_words.ts";

/** How an answer comes: at once, as fast as one reads, or so that one waits for words. */
export type Pace = "quick" | "steady" | "slow";

/** A rule of thumb for a model of so many parameters, in WebAssembly on so many cores. */
export function paceOf(parameters: number, cores: number): Pace {
  const tokensPerSecond = parametersPerCoreSecond * Math.min(cores, usefulCores) / parameters;
  return tokensPerSecond >= 8 ? "quick" : tokensPerSecond >= 2.5 ? "steady" : "slow";
}

export const paceWords: Readonly<Record<Pace, string>> = {
  quick: "Quick on this machine",
  steady: "At a reading pace on this machine",
  slow: "Slow on this machine",
};

/** What kind of model is right here: one or two sentences. */
export function describeMachine(
  { cores, availableBytes, pluginMemoryBytes = Infinity }: Machine,
): string {
  const slow = usualParameters.findIndex((count) => paceOf(count, cores) === "slow");
  const speed = slow === -1
    ? "Models of up to 7 billion parameters answer well on this machine."
    : `${upTo(usualParameters[slow - 1])} answer well on this machine; those of ${
      inWords(usualParameters[slow], "")
    } and more are slow here.`;
  const room = Math.min(availableBytes, pluginMemoryBytes);
  return room >= scarceBytes
    ? speed
    : `${speed} Memory is scarce: a model may use ${formatAbout(room)}.`;
}

/** 500_000_000 -> "0.5 billion parameters" */
function inWords(parameters: number | undefined, noun = " parameters"): string {
  const count = parameters ?? 0;
  return count >= 0.5e9 ? `${count / 1e9} billion${noun}` : `${count / 1e6} million${noun}`;
}

/** Of the server: named for who wonders, but its plugins have none. */
export function describeServerGpu(gpu: Machine["webgpu"]): Fact {
  if (gpu?.available !== true) return { value: "None", hint: "models run on the processor" };
  const { value } = describeGpu({ adapter: gpu.adapter ?? "", software: gpu.software === true });
  return { value, hint: "models run on the processor" };
}

export function describeBrowserGpu(gpu: BrowserGpu | undefined): Fact {
  return gpu === undefined ? { value: "None", hint: "it offers no WebGPU" } : describeGpu(gpu);
}

export interface Fact {
  value: string;
  hint: string;
}

function describeGpu({ adapter, software }: BrowserGpu): Fact {
  const value = adapter === "" ? "Yes" : adapter;
  return software
    ? { value: "In software", hint: `${value}: no faster than the processor` }
    : { value, hint: "models in this browser may run on it" };
}

export function describeThreads(
  { threads, isolated }: { threads: number; isolated: boolean },
): Fact {
  return isolated
    ? { value: formatPlural(threads, "thread"), hint: "models may run in it too" }
    : { value: "1 thread", hint: "the page is not isolated: open it by https or on localhost" };
}

/** What to do about it, beside trying again; `typed`: a person wrote the name. Undefined: the message says it all. */
export function advise(
  { code, message }: WireError,
  { typed }: { typed: boolean },
): string | undefined {
  switch (code) {
    case "OUT_OF_DISK":
      return "Make room on the server's disk, or choose a smaller model.";
    case "FORBIDDEN":
    case "UNAUTHENTICATED":
      return /HF_TOKEN/.test(message)
        ? undefined
        : "Its authors want their licence accepted first: do that on the hub's page of the model, and start the server with HF_TOKEN.";
    case "NOT_FOUND":
      return typed
        ? "Look whether the name is spelled as on the hub: owner/name, and the variant after a colon."
        : "The hub may have moved it: try again later, or choose another model.";
    case "UNAVAILABLE":
    case "TIMEOUT":
      return "The server needs a way to the hub: its network, a proxy, or another HF_ENDPOINT.";
    default:
      return undefined;
  }
}

/** Of 8-bit weights on an ordinary core; more than some cores wait for memory. */
const parametersPerCoreSecond = 1e9;
const usefulCores = 8;
const usualParameters = [135e6, 0.5e9, 1e9, 1.5e9, 3e9, 7e9] as const;
const scarceBytes = 1.5 * 1024 ** 3;

function upTo(parameters: number | undefined): string {
  return parameters === undefined
    ? "Only the smallest models"
    : `Models of up to ${inWords(parameters)}`;
}
