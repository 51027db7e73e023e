import assert from "node:assert/strict";
import { join } from "node:path";
import { makeCertificate, opensslProblem } from "../testing/certificates.ts";
import { skipUnless } from "../testing/require.ts";
import { certificateProblem, isNamed, readCertificate } from "./certificate.ts";

const ignore = skipUnless("TLS certificates", opensslProblem());

Deno.test({
  name: "readCertificate: each fault is told by its file, and no key is quoted",
  ignore,
  async fn() {
    await using folder = await makeFolder();
    const one = await makeCertificate(folder.path, { name: "one" });
    const two = await makeCertificate(folder.path, { name: "two" });
    const path = (name: string) => join(folder.path, name);
    const key = await Deno.readTextFile(one.tlsKey);
    await Deno.writeTextFile(path("rubbish"), "rubbish");
    await Deno.writeTextFile(path("broken"), key.replace(/\n.{10}/, "\n**********"));
    await Deno.writeTextFile(
      path("locked"),
      "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----",
    );
    await Deno.writeTextFile(
      path("cut"),
      "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
    );
    for (
      const [paths, pattern] of [
        [{ tlsCert: path("none") }, /^BKG_TLS_CERT names ".*none", which does not exist$/],
        [{ tlsKey: path("none") }, /^BKG_TLS_KEY names ".*none", which does not exist$/],
        [{ tlsCert: folder.path }, /^BKG_TLS_CERT names ".*", which cannot be read$/],
        [{ tlsCert: path("rubbish") }, /rubbish", which holds no PEM certificate$/],
        [{ tlsCert: path("cut") }, /cut", which holds no PEM certificate$/],
        [{ tlsCert: one.tlsKey }, /one\.key", which holds no PEM certificate$/],
        [{ tlsKey: path("rubbish") }, /rubbish", which holds no PEM private key$/],
        [{ tlsKey: path("broken") }, /broken", which holds no PEM private key$/],
        [{ tlsKey: path("locked") }, /locked", whose key needs a passphrase/],
        [{ tlsKey: two.tlsKey }, /^The key in ".*two\.key" does not fit .*one\.crt"$/],
      ] as const
    ) {
      assert.throws(() => readCertificate({ ...one, ...paths }), (error: Error) => {
        assert.match(error.message, pattern);
        assert.ok(!Deno.inspect(error).includes(key.split("\n")[1]!));
        return (error as Error & { code: string }).code === "INVALID_INPUT";
      });
    }
  },
});

Deno.test({
  name: "certificateProblem: expired, not yet valid, about to expire, nameless, an authority's",
  ignore,
  async fn() {
    await using folder = await makeFolder();
    const make = async (options: Parameters<typeof makeCertificate>[1]) =>
      readCertificate(await makeCertificate(folder.path, options));
    const good = await make({ altNames: "DNS:bkg.lan,DNS:*.Example.org,IP:10.0.0.1,IP:fd00::1" });
    const now = Date.now();
    const day = 86_400_000;
    assert.equal(certificateProblem(good, now), undefined);
    assert.match(certificateProblem(good, now + 31 * day)!, /it expired on 20/);
    assert.match(certificateProblem(good, now - 2 * day)!, /this clock is before that/);
    assert.match(certificateProblem(good, now + 20 * day)!, /it expires in 9 days/);
    assert.match(certificateProblem(await make({ name: "old", days: -3 }), now)!, /it expired on/);
    assert.match(certificateProblem(await make({ isAuthority: true }), now)!, /CA:TRUE/);
    assert.match(certificateProblem({ ...good, names: [] }, now)!, /names no host/);

    for (const name of ["bkg.lan", "BKG.lan", "a.example.org", "10.0.0.1", "[fd00::1]"]) {
      assert.ok(isNamed(good, name), name);
    }
    for (const name of ["example.org", "a.b.example.org", "x.bkg.lan", "10.0.0.2", ""]) {
      assert.ok(!isNamed(good, name), name);
    }
  },
});

async function makeFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "bkg-tls-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
