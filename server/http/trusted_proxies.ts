// Who the client of a request is and how it names this server. X-Forwarded-For, -Proto and -Host count only from a
// proxy that the operator named, and no other such header ever does. Callers: app; config, for validation.

import { BlockList, isIP } from "node:net";

export interface Client {
  /** Its IP address in canonical form; what the server was given when that is no address. */
  readonly address: string;
  /** As in a Host header: not yet checked. */
  readonly host: string;
  /** Where it thinks that it is, such as "https://bkg.lan". */
  readonly origin: string;
}

/** Reads a request's client; `peer` is the address at the connection's other end. */
export type ReadClient = (request: Request, peer: string) => Client;

/** `proxies` are addresses, ranges such as "10.0.0.0/8", "loopback" and "private"; throws RangeError for others. */
export function createReadClient(proxies: readonly string[]): ReadClient {
  const isTrusted = createProxyCheck(proxies);
  // The same peers ask again and again, and a regular expression costs more than a look into a map.
  const canonicalOf = remember((peer: string) => canonicalAddress(peer) ?? peer);
  return (request, peer) => {
    const { headers, url } = request;
    let address = canonicalOf(peer);
    let host = headers.get("host") ?? new URL(url).host;
    let protocol = url.startsWith("https:") ? "https" : "http";
    if (isTrusted(address)) {
      address = forwardedFor(headers.get("x-forwarded-for"), { peer: address, isTrusted });
      host = lastOf(headers.get("x-forwarded-host")) || host;
      const given = lastOf(headers.get("x-forwarded-proto")).toLowerCase();
      if (given === "http" || given === "https") protocol = given;
    }
    return { address, host, origin: `${protocol}://${host}` };
  };
}

/** Whether `createReadClient` takes this text. */
export function isProxyName(text: string): boolean {
  return networksOf(text).every((network) => parseNetwork(network) !== undefined);
}

/** Whether the list trusts every address, so that whoever reaches the port can forge its own. */
export function trustsEveryone(proxies: readonly string[]): boolean {
  return proxies.flatMap(networksOf).some((network) => parseNetwork(network)?.prefix === 0);
}

/** An IP address without port, brackets and zone, in the one form that it is compared by; undefined for all else. */
export function canonicalAddress(text: string): string | undefined {
  const bare = /^\[([^\]]+)\](?::\d{1,5})?$|^(\d+\.\d+\.\d+\.\d+):\d{1,5}$/.exec(text);
  const [address = ""] = (bare?.[1] ?? bare?.[2] ?? text).split("%");
  switch (isIP(address)) {
    case 4:
      return address;
    case 6: {
      const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
      const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
      if (mapped === null) return canonical;
      const [high = 0, low = 0] = mapped.slice(1).map((part) => parseInt(part, 16));
      return [high >> 8, high & 255, low >> 8, low & 255].join(".");
    }
    default:
      return undefined;
  }
}

const namedNetworks: Readonly<Record<string, readonly string[]>> = {
  loopback: ["127.0.0.0/8", "::1"],
  // RFC 1918 and RFC 4193.
  private: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"],
};

/** A request may not make the server look at more than these, the nearest ones. */
const maxHops = 32;

const maxKnown = 1024;

/** The right-most address that is no trusted proxy's: what stands left of it may be the client's own invention. */
function forwardedFor(
  header: string | null,
  { peer, isTrusted }: { peer: string; isTrusted: (address: string) => boolean },
): string {
  let address = peer;
  for (const hop of header?.split(",").slice(-maxHops).reverse() ?? []) {
    const next = canonicalAddress(hop.trim());
    if (next === undefined) break;
    address = next;
    if (!isTrusted(next)) break;
  }
  return address;
}

/** What the nearest proxy said: those before it may have passed on what a client sent. */
function lastOf(header: string | null): string {
  return header === null ? "" : header.slice(header.lastIndexOf(",") + 1).trim();
}

function createProxyCheck(proxies: readonly string[]): (address: string) => boolean {
  if (proxies.length === 0) return () => false;
  const list = new BlockList();
  for (const text of proxies.flatMap(networksOf)) {
    const network = parseNetwork(text);
    if (network === undefined) throw new RangeError(`"${text}" is no address and no range`);
    list.addSubnet(network.address, network.prefix, network.family);
  }
  // The list walks its ranges at each check.
  return remember((address) => {
    const version = isIP(address);
    return version !== 0 && list.check(address, version === 6 ? "ipv6" : "ipv4");
  });
}

/** Asks `find` once for each text, of the 1,024 that were seen last or so. */
function remember<Found>(find: (text: string) => Found): (text: string) => Found {
  const known = new Map<string, Found>();
  return (text) => {
    let found = known.get(text);
    if (found === undefined) {
      found = find(text);
      if (known.size >= maxKnown) known.clear();
      known.set(text, found);
    }
    return found;
  };
}

function networksOf(text: string): readonly string[] {
  return Object.hasOwn(namedNetworks, text) ? namedNetworks[text]! : [text];
}

function parseNetwork(
  text: string,
): { address: string; prefix: number; family: "ipv4" | "ipv6" } | undefined {
  const [, address = "", given] = /^([0-9a-f:.]+)(?:\/(\d{1,3}))?$/i.exec(text) ?? [];
  const version = isIP(address);
  const width = version === 6 ? 128 : 32;
  const prefix = given === undefined ? width : Number(given);
  if (version === 0 || prefix > width) return undefined;
  return { address, prefix, family: version === 6 ? "ipv6" : "ipv4" };
}
