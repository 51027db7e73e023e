// A User-Agent as a person says it: "Firefox on Linux". It is the client's own text, which may be anything.

import { capText } from "./format.ts";

export function describeClient(client: string): string {
  const browser = browsers.find(({ mark }) => mark.test(client))?.name;
  const system = systems.find(({ mark }) => mark.test(client))?.name;
  if (browser === undefined) return capText(client, 60) || "Unknown client";
  return system === undefined ? browser : `${browser} on ${system}`;
}

/** In this order: most of them claim to be those that follow. */
const browsers = [
  { mark: /\bEdgA?\//, name: "Edge" },
  { mark: /\bOPR\//, name: "Opera" },
  { mark: /\bFirefox\/|\bFxiOS\//, name: "Firefox" },
  { mark: /\b(?:Headless)?Chrome\/|\bCriOS\//, name: "Chrome" },
  { mark: /\bVersion\/[\d.]+ .*Safari\//, name: "Safari" },
];

const systems = [
  { mark: /\bAndroid\b/, name: "Android" },
  { mark: /\biPhone\b|\biPad\b/, name: "iOS" },
  { mark: /\bWindows\b/, name: "Windows" },
  { mark: /\bMac OS X\b/, name: "macOS" },
  { mark: /\bLinux\b|\bX11\b/, name: "Linux" },
];
