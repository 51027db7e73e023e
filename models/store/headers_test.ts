import assert from "node:assert/strict";
import { join } from "node:path";
import { describeStat, type FoundFile, type FoundModel } from "./found.ts";
import { openHeaderCache } from "./header_cache.ts";
import { createHeaders } from "./headers.ts";
import { inFolder, write } from "./testing_library.ts";

Deno.test("judge looks once at what lies beside the ONNX files of a folder, not for each of them", async () => {
  await inFolder(async (folder) => {
    const names = Array.from({ length: 5 }, (_, at) => `${at}.onnx`);
    await write(folder, Object.fromEntries(names.map((name) => [name, "no ONNX"])));
    const find = async (name: string): Promise<FoundFile> => {
      const path = join(folder, name);
      return { name, path, ...describeStat(await Deno.lstat(path)) };
    };
    const [weights] = await Promise.all(names.map(find));
    let looks = 0;
    const data: FoundFile = {
      ...weights!,
      name: "w.bin",
      get size() {
        looks++;
        return 1;
      },
    };
    const shared = { origin: "folder" as const, format: "onnx" as const, facts: {} };
    const [sidecars, beside]: FoundFile[][] = [[], [data]];
    const headers = createHeaders({ cache: await openHeaderCache(), now: () => Infinity });
    const judge = async (more: Partial<FoundModel>) => {
      for (const name of names) {
        const model = { ...shared, id: name, weights: [await find(name)], sidecars: sidecars! };
        const [judged] = await headers.judge({ ...model, beside: beside!, ...more });
        assert.equal(judged?.verdict.error?.code, "INVALID_MODEL");
      }
    };
    await judge({});
    assert.equal(looks, 1);
    // Found anew, they are other files.
    await judge({ beside: [data] });
    assert.equal(looks, 2);
  });
});
