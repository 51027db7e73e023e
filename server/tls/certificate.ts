// A TLS certificate and its key: read from PEM files, checked against each other, and what to tell of them.
// Callers: serve, doctor. Messages name files and never quote a key.

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { AppError } from "../../plugins/runtime/contract/error.ts";
import { canonicalAddress } from "../http/trusted_proxies.ts";

/** Absolute, and named as in Config. */
export interface CertificatePaths {
  tlsCert: string;
  tlsKey: string;
}

export interface Certificate {
  /** PEM: the server's own first, then those that lead to its authority. */
  readonly cert: string;
  /** PEM; a secret. */
  readonly key: string;
  /** Host names and addresses that it is valid for, such as "*.lan" or "10.0.0.1". */
  readonly names: readonly string[];
  readonly startsAtMs: number;
  readonly expiresAtMs: number;
  /** Whether it may sign others: then strict clients do not accept it from a server. */
  readonly isAuthority: boolean;
}

/** Throws INVALID_INPUT naming the file that is absent, malformed or does not fit. */
export function readCertificate({ tlsCert, tlsKey }: CertificatePaths): Certificate {
  const cert = readPem("BKG_TLS_CERT", tlsCert);
  const key = readPem("BKG_TLS_KEY", tlsKey);
  const x509 = parseCertificate(cert, tlsCert);
  if (!x509.checkPrivateKey(parseKey(key, tlsKey))) {
    throw invalid(`The key in "${tlsKey}" does not fit the first certificate in "${tlsCert}"`);
  }
  return {
    cert,
    key,
    names: namesOf(x509),
    startsAtMs: Date.parse(x509.validFrom),
    expiresAtMs: Date.parse(x509.validTo),
    isAuthority: x509.ca,
  };
}

/** What a person should know of a certificate that can be served; undefined when all is well. */
export function certificateProblem(
  { startsAtMs, expiresAtMs, isAuthority, names }: Certificate,
  nowMs: number,
): string | undefined {
  const date = (ms: number) => new Date(ms).toISOString().slice(0, 10);
  if (nowMs >= expiresAtMs) return `it expired on ${date(expiresAtMs)}: renew it`;
  if (nowMs < startsAtMs) {
    return `it is valid from ${date(startsAtMs)} on, and this clock is before that`;
  }
  if (names.length === 0) return "it names no host (subjectAltName), so no client accepts it";
  if (isAuthority) return "it is an authority's (CA:TRUE), which strict clients refuse of a server";
  const days = daysLeft(expiresAtMs, nowMs);
  return days < warnDays ? `it expires in ${days} days, on ${date(expiresAtMs)}` : undefined;
}

export function daysLeft(expiresAtMs: number, nowMs: number): number {
  return Math.floor((expiresAtMs - nowMs) / 86_400_000);
}

/** Whether the certificate is valid for a host name or address, as in a URL. */
export function isNamed({ names }: Certificate, hostname: string): boolean {
  const name = canonicalAddress(hostname) ?? hostname.toLowerCase();
  // RFC 9525 6.3: a wildcard stands for one label.
  return names.includes(name) || names.includes(name.replace(/^[^.]+/, "*"));
}

const warnDays = 14;
const maxPemBytes = 1_048_576;

function readPem(variable: string, path: string): string {
  try {
    const { isFile, size } = Deno.statSync(path);
    if (!isFile || size > maxPemBytes) throw new Error("It is no PEM file");
    return Deno.readTextFileSync(path);
  } catch (cause) {
    const reason = cause instanceof Deno.errors.NotFound
      ? "which does not exist"
      : cause instanceof Deno.errors.PermissionDenied
      ? "which this user may not read"
      : "which cannot be read";
    throw new AppError("INVALID_INPUT", `${variable} names "${path}", ${reason}`, { cause });
  }
}

function parseCertificate(pem: string, path: string): X509Certificate {
  try {
    return new X509Certificate(firstBlock(pem, "CERTIFICATE"));
  } catch (cause) {
    throw invalid(`BKG_TLS_CERT names "${path}", which holds no PEM certificate`, cause);
  }
}

function parseKey(pem: string, path: string): KeyObject {
  const named = `BKG_TLS_KEY names "${path}", `;
  if (/ENCRYPTED/.test(pem)) {
    throw invalid(`${named}whose key needs a passphrase; store it without`);
  }
  try {
    return createPrivateKey(firstBlock(pem, "(?:[A-Z]+ )?PRIVATE KEY"));
  } catch (cause) {
    throw invalid(`${named}which holds no PEM private key`, cause);
  }
}

/** Files may hold text, and parameters of curves, beside what is meant. */
function firstBlock(pem: string, label: string): string {
  const block = new RegExp(`-----BEGIN (${label})-----[^-]+-----END \\1-----`).exec(pem)?.[0];
  if (block === undefined) throw new Error("There is no such block");
  return block;
}

function namesOf({ subjectAltName }: X509Certificate): string[] {
  return (subjectAltName ?? "").split(/,\s*/)
    .flatMap((entry) => /^(?:DNS|IP Address):(.+)$/.exec(entry)?.[1] ?? [])
    .map((name) => canonicalAddress(name) ?? name.toLowerCase());
}

function invalid(message: string, cause?: unknown): AppError {
  return new AppError("INVALID_INPUT", message, { cause });
}
