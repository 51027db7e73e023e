// Which pulls leave a trusted model behind: those of the catalogue, from the hub whose names it has, and no other.

import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { CatalogModel } from "../../models/catalog.ts";
import { createPullNetwork } from "../../models/pull/network.ts";
import { publicHub } from "../../models/source.ts";
import { digestOf, inFolder, makeModel, openLibrary } from "../../models/store/testing_library.ts";
import { buildBundles } from "../build/bundles.ts";
import { startHub } from "../testing/hub_server.ts";
import { openTestDatabase } from "../testing/test_database.ts";
import { createModelPulls } from "./model_pulls.ts";
import { createTrustedLibrary } from "./trusted_models.ts";

const weights = makeModel("tiny");
const otherDigest = digestOf(new Uint8Array(1));

Deno.test("createModelPulls: a model of the catalogue is trusted, pulled from the public hub as it is named there", async (t) => {
  await using hub = await startHub({ files: { "ada/tiny": { "tiny-Q8_0.gguf": weights } } });
  await using database = await openTestDatabase();
  const { folder: bundles } = await buildBundles({ log: () => {} });

  const pull = (
    { source = "ada/tiny:Q8_0", id, entry = {}, endpoint = publicHub }: {
      source?: string;
      id?: string;
      entry?: Partial<Pick<CatalogModel, "source" | "digest">>;
      endpoint?: string;
    },
    expect: (trusted: string[]) => void,
  ) =>
    inFolder(async (folder) => {
      await database.reset();
      const library = createTrustedLibrary({
        library: await openLibrary(folder),
        db: database.db,
      });
      const pulls = createModelPulls({
        library,
        // What asks is sent to the hub of the test, whatever hub the server believes to ask.
        network: createPullNetwork({
          offline: false,
          endpoint: hub.url,
          allowedPrivateHosts: ["127.0.0.1"],
          hashWorker: pathToFileURL(join(bundles, "hash_worker.js")),
        }),
        catalog: [{ source: "ada/tiny:Q8_0", task: "chat", digest: null, ...entry }],
        freeBytes: () => Promise.resolve(1e12),
        endpoint,
      });
      await pulls.run({
        id: "a-job",
        input: { source, ...(id === undefined ? {} : { id }) },
        signal: new AbortController().signal,
        tell: () => {},
        remember: () => {},
      });
      const models = await library.list();
      assert.equal(models.length, 1);
      expect(models.filter(({ trusted }) => trusted).map(({ id }) => id));
    });
  const isTrusted = (trusted: string[]) => assert.equal(trusted.length, 1);
  const isNot = (trusted: string[]) => assert.deepEqual(trusted, []);

  await t.step("another hub's of the same name is not", () => pull({ endpoint: hub.url }, isNot));
  await t.step(
    "another revision is not",
    () => pull({ source: `ada/tiny@${hub.commit}:Q8_0` }, isNot),
  );
  await t.step(
    "one that it does not name is not",
    () => pull({ entry: { source: "ada/other:Q8_0" } }, isNot),
  );
  await t.step(
    "one that is not what its entry says is not",
    () => pull({ entry: { digest: otherDigest } }, isNot),
  );
  await t.step(
    "a file at an address is not",
    () => pull({ source: `${hub.url}/ada/tiny/resolve/main/tiny-Q8_0.gguf` }, isNot),
  );
  await t.step("its own is", () => pull({}, isTrusted));
  await t.step("and spelled in small letters, under another id, and with its digest", async () => {
    await pull({ source: "ada/tiny:q8_0", id: "mine" }, isTrusted);
    await pull({ entry: { digest: digestOf(weights) } }, isTrusted);
  });
});
