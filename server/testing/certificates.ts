// Certificates for tests, made by the system's openssl into a folder of the caller's.

import { join } from "node:path";

export interface TestCertificate {
  /** Paths of PEM files. */
  tlsCert: string;
  tlsKey: string;
}

export interface MakeCertificateOptions {
  /** Its subject, by which a test tells it from others; also the name of its files. Default "bkg". */
  name?: string;
  /** Default: localhost and the loopback. */
  altNames?: string;
  /** Default 30; from now, or, below zero, how long ago it ended. */
  days?: number;
  isAuthority?: boolean;
}

/** Why no certificate can be made here; undefined when it can. */
export function opensslProblem(): string | undefined {
  try {
    new Deno.Command("openssl", { args: ["version"] }).outputSync();
    return undefined;
  } catch {
    return "openssl is absent (Debian: apt-get install openssl)";
  }
}

/** A self-signed pair: elliptic, so that making it takes no time. */
export async function makeCertificate(
  folder: string,
  options: MakeCertificateOptions = {},
): Promise<TestCertificate> {
  const { name = "bkg", altNames = "DNS:localhost,IP:127.0.0.1", days = 30 } = options;
  const tlsCert = join(folder, `${name}.crt`);
  const tlsKey = join(folder, `${name}.key`);
  const isPast = days < 0;
  const request = isPast ? join(folder, `${name}.csr`) : tlsCert;
  await openssl([
    ...["req", ...(isPast ? [] : ["-x509", "-days", String(days)]), "-out", request],
    ...["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", tlsKey],
    ...["-subj", `/CN=${name}`, "-addext", `subjectAltName=${altNames}`],
    ...["-addext", `basicConstraints=critical,CA:${options.isAuthority ? "TRUE" : "FALSE"}`],
  ]);
  if (isPast) await signAsPast({ folder, request, tlsCert, tlsKey, days });
  return { tlsCert, tlsKey };
}

/** Only `openssl ca` signs for a time that is over. */
async function signAsPast(
  { folder, request, tlsCert, tlsKey, days }: TestCertificate & {
    folder: string;
    request: string;
    days: number;
  },
): Promise<void> {
  const index = join(folder, "index.txt");
  await Deno.writeTextFile(index, "");
  const config = join(folder, "ca.conf");
  await Deno.writeTextFile(
    config,
    `[ca]\ndefault_ca=own\n[own]\ndatabase=${index}\nrand_serial=yes\nnew_certs_dir=${folder}\n` +
      "policy=any\ncopy_extensions=copy\ndefault_md=sha256\n[any]\ncommonName=supplied\n",
  );
  const time = (daysFromNow: number) =>
    new Date(Date.now() + daysFromNow * 86_400_000).toISOString().replace(/[-:T]|\.\d+/g, "");
  await openssl([
    ...["ca", "-batch", "-selfsign", "-config", config, "-keyfile", tlsKey, "-in", request],
    ...["-notext", "-out", tlsCert, "-startdate", time(days - 30), "-enddate", time(days)],
  ]);
}

async function openssl(args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args }).output();
  if (!success) throw new Error(`openssl failed:\n${new TextDecoder().decode(stderr)}`);
}
