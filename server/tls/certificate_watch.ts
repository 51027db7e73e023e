// Looks at the files of a certificate for changes. By polling: a renewal may rename, link or mount anew, of which
// file events tell different things on each system. Caller: serve.

import { type Certificate, type CertificatePaths, readCertificate } from "./certificate.ts";

export interface CertificateWatchOptions {
  changed: (certificate: Certificate) => void;
  /** Called once for each broken state of the files; what is in use stays in use. */
  failed: (error: unknown) => void;
  /** Default 5 s. A change is taken once it has been at rest for as long. */
  everyMs?: number;
}

/** Watches until it is disposed; the files as they are now count as known. */
export function watchCertificate(
  paths: CertificatePaths,
  { changed, failed, everyMs = 5000 }: CertificateWatchOptions,
): Disposable {
  let taken = stateOf(paths);
  let last = taken;
  const look = () => {
    const state = stateOf(paths);
    // Two files are not written at once: between them the key does not fit.
    const atRest = state === last;
    last = state;
    if (!atRest || state === taken) return;
    taken = state;
    try {
      changed(readCertificate(paths));
    } catch (error) {
      failed(error);
    }
  };
  const timer = setInterval(look, everyMs);
  Deno.unrefTimer(timer);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** Differs when a file was written, replaced or removed; links are followed. */
function stateOf({ tlsCert, tlsKey }: CertificatePaths): string {
  return [tlsCert, tlsKey].map((path) => {
    try {
      const { ino, size, mtime } = Deno.statSync(path);
      return `${ino} ${size} ${mtime?.getTime()}`;
    } catch {
      return "absent";
    }
  }).join("\n");
}
