// How others reach the server: port, certificate, proxy and public URL, each against the others. Caller: `bkg doctor`.

import { AppError } from "../../../plugins/runtime/contract/error.ts";
import { toPlainText } from "../../../plugins/runtime/contract/plain_text.ts";
import { type Config, isLoopback } from "../../config.ts";
import { certificateProblem, daysLeft, isNamed, readCertificate } from "../../tls/certificate.ts";
import type { Finding } from "./finding.ts";

type Address = Pick<
  Config,
  "host" | "port" | "publicUrl" | "allowedHosts" | "trustedProxies" | "tlsCert" | "tlsKey"
>;

/** `isServed`: a bkg answers there. */
export function checkPort({ host, port }: Address, isServed: boolean): Finding {
  const what = "port";
  const address = `${host}:${port}`;
  if (isServed) return { state: "ok", what, message: `${address} is served by bkg` };
  if (port === 0) return { state: "ok", what, message: "any free one" };
  try {
    Deno.listen({ hostname: host.replace(/^\[|\]$/g, ""), port }).close();
    return { state: "ok", what, message: `${address} is free` };
  } catch (error) {
    const message = error instanceof Deno.errors.AddrInUse
      ? `${address} is in use, but not by this bkg: set BKG_PORT to another`
      : error instanceof Deno.errors.PermissionDenied
      ? `${address} may not be bound by this user: set BKG_PORT above 1023`
      : `${address} cannot be bound: set BKG_HOST to an address of this machine`;
    return { state: "fail", what, message };
  }
}

/** Empty where bkg speaks no TLS. */
export function checkTls(config: Address, nowMs: number): Finding[] {
  const what = "certificate";
  const { tlsCert, tlsKey, publicUrl, allowedHosts } = config;
  if (tlsCert === undefined || tlsKey === undefined) return [];
  try {
    const certificate = readCertificate({ tlsCert, tlsKey });
    const problem = certificateProblem(certificate, nowMs);
    const names = toPlainText(certificate.names.join(", "), 200);
    const state = nowMs >= certificate.expiresAtMs || nowMs < certificate.startsAtMs
      ? "fail"
      : "warn";
    const days = daysLeft(certificate.expiresAtMs, nowMs);
    const hosts = publicUrl === undefined ? allowedHosts : [new URL(publicUrl).hostname];
    const unnamed = hosts.filter((host) => !isNamed(certificate, host));
    return [
      problem === undefined
        ? { state: "ok", what, message: `fits its key, for ${names}; ${days} days left` }
        : { state, what, message: `"${tlsCert}": ${problem}` },
      ...(unnamed.length === 0 ? [] : [{
        state: "warn" as const,
        what,
        message: `it is for ${names} and not for ${unnamed.join(", ")}, by which bkg is reached`,
      }]),
    ];
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return [{ state: "fail", what, message: toPlainText(error.message, 500) }];
  }
}

/** What contradicts, or is open, in the way to the server. */
export function checkReach(config: Address): Finding {
  const what = "reach";
  const { host, publicUrl, trustedProxies, tlsCert } = config;
  const isLocal = isLoopback(host);
  const warn = (message: string): Finding => ({ state: "warn", what, message });
  if (publicUrl !== undefined && tlsCert === undefined && trustedProxies.length === 0) {
    return warn(
      `a proxy seems to serve ${publicUrl}, but BKG_TRUSTED_PROXIES is unset: ` +
        'all clients count as one; set it to the proxy\'s address, such as "loopback"',
    );
  }
  if (publicUrl?.startsWith("http:") && !isLoopback(new URL(publicUrl).hostname)) {
    return warn(`BKG_PUBLIC_URL is ${publicUrl}: keys travel in the open; let it be https`);
  }
  if (isLocal && trustedProxies.length > 0 && !trustedProxies.some(coversLoopback)) {
    return warn(
      `bkg listens on ${host} alone, and no proxy there is in BKG_TRUSTED_PROXIES: add "loopback"`,
    );
  }
  if (!isLocal && tlsCert === undefined && publicUrl === undefined) {
    return warn(
      `others reach ${host} without encryption: set BKG_TLS_CERT, or a proxy and BKG_PUBLIC_URL`,
    );
  }
  const message = publicUrl ?? (isLocal ? "this machine alone" : `${host}, by TLS`);
  return { state: "ok", what, message };
}

function coversLoopback(proxy: string): boolean {
  return proxy === "loopback" || isLoopback(proxy.replace(/\/\d+$/, "")) || /\/0$/.test(proxy);
}
