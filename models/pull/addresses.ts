// Which addresses a pull may connect to: those of the public internet. Caller: connections.ts.

import ipaddr from "ipaddr.js";

/** Whether `address` is a host of the public internet: no loopback, no private network, no way around to one. */
export function isPublicAddress(address: string): boolean {
  if (!isAddress(address)) return false;
  // Unwraps IPv4 that was mapped into IPv6.
  const parsed = ipaddr.process(address);
  if (parsed instanceof ipaddr.IPv4) return parsed.range() === "unicast";
  const bytes = parsed.toByteArray();
  if (parsed.range() === "rfc6052") return isPublicAddress(bytes.slice(12).join("."));
  // Only 2000::/3 was ever given out; "unicast" holds more, such as ::127.0.0.1.
  return parsed.range() === "unicast" && ((bytes[0] ?? 0) & 0xe0) === 0x20;
}

/** A URL's host without brackets and the dot of the root: how allowed names are compared. */
export function bareHost(hostname: string): string {
  return hostname.toLowerCase().replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
}

/** Whether the host is an address already, so that no name is looked up. */
export function isAddress(host: string): boolean {
  // The old short and octal forms, such as 127.1, are for no one but liars.
  return ipaddr.IPv4.isValidFourPartDecimal(host) || ipaddr.IPv6.isValid(host);
}
