// Refuses unknown Host headers: a page that rebinds its own name to this address (DNS rebinding)
// still sends its own name. https://owasp.org/www-community/attacks/DNS_Rebinding

import { AppError } from "../../../plugins/runtime/contract/error.ts";

export interface HostCheckOptions {
  /** The bind address. */
  host: string;
  publicUrl?: string | undefined;
  allowedHosts: readonly string[];
}

/** Returns a check that throws MISDIRECTED_REQUEST for a Host (or :authority) that is not this server's. */
export function createHostCheck(options: HostCheckOptions): (host: string) => void {
  const names = new Set(["localhost", ...options.allowedHosts.map((name) => name.toLowerCase())]);
  if (options.publicUrl !== undefined) names.add(new URL(options.publicUrl).hostname);
  const bind = bare(options.host.toLowerCase());
  const open = !isLoopbackAddress(bind) && bind !== "localhost";
  if (open) names.add(bind);
  // An address cannot be rebound, so it is accepted where this server listens beyond loopback.
  const isOurs = (name: string) =>
    names.has(name) || names.has(`[${name}]`) || isLoopbackAddress(name) ||
    name.endsWith(".localhost") || (open && isAddress(name));
  const known = new Set<string>();
  return (host) => {
    if (known.has(host)) return;
    const name = hostName(host);
    if (name === undefined || !isOurs(name)) {
      throw new AppError(
        "MISDIRECTED_REQUEST",
        "This server does not answer for that host; its operator may name it in BKG_ALLOWED_HOSTS",
      );
    }
    if (known.size >= maxKnown) known.clear();
    known.add(host);
  };
}

const maxKnown = 256;

/** The name without port, brackets and root dot; undefined when it is no host. */
function hostName(host: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(host);
  const name = match?.[1] ?? match?.[2];
  return name?.toLowerCase().replace(/\.$/, "");
}

function bare(host: string): string {
  return host.replace(/^\[|\]$/g, "");
}

function isLoopbackAddress(name: string): boolean {
  return name === "::1" || /^127(?:\.\d{1,3}){3}$/.test(name);
}

function isAddress(name: string): boolean {
  return name.includes(":") || /^\d{1,3}(?:\.\d{1,3}){3}$/.test(name);
}
