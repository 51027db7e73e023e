// candle as clients ask for it over HTTP: tensors as JSON that are right, wrong, or not to be had.

import assert from "node:assert/strict";
import { join } from "node:path";
import { floatWeight, writeOnnx } from "../../../plugins/runtime/engines/onnx/testing_models.ts";
import { startServer } from "../server_process.ts";

Deno.test("candle over HTTP: numbers in, numbers out, and what is wrong is named", async (t) => {
  await using server = await startServer();
  const folder = join(server.dataDir, "models");
  const graph = writeOnnx({
    nodes: [{ op: "MatMul", inputs: ["x", "w"], outputs: ["y"] }],
    inputs: [{ name: "x", type: "float32", shape: ["batch", 2] }],
    outputs: [{ name: "y", type: "float32", shape: ["batch", 1] }],
    weights: [floatWeight("w", [2, 1], [3, 5])],
  });
  await Deno.writeFile(join(folder, "tiny.onnx"), graph);
  /** `body` is JSON as text: some of it no JavaScript would write. */
  const call = async (capability: string, body: string) => {
    const response = await fetch(`${server.url}/api/capabilities/${capability}`, {
      method: "POST",
      headers: { authorization: `Bearer ${server.token}`, "content-type": "application/json" },
      body,
    });
    return { status: response.status, body: await response.json() };
  };
  const run = (x: string, more = "") =>
    call("candle.model.run", `{"model": "tiny", "inputs": {"x": ${x}}${more}}`);

  await t.step("load tells shapes, types, dynamic axes and where it runs", async () => {
    const { status, body } = await call("candle.model.load", '{"model": "tiny"}');
    assert.equal(status, 200, JSON.stringify(body));
    assert.deepEqual(body.inputs, [{ name: "x", type: "float32", shape: ["batch", 2] }]);
    assert.deepEqual([body.backend, body.bytes, body.file], ["wasm", graph.length, "tiny.onnx"]);
    assert(body.loadMs > 0 && body.warmUpMs > 0);
    const { body: answer } = await run("[[1, 2], [3, 4]]");
    assert.deepEqual(answer.outputs.y, { type: "float32", shape: [2, 1], data: [13, 29] });
    assert(answer.timings.runMs > 0 && answer.timings.batch === 1);
  });

  await t.step("what is no tensor of this model is 400", async () => {
    const takes = "the model takes float32[batch, 2]";
    const wrong: [x: string, says: string][] = [
      ["[[1, null]]", `"x" must hold numbers, and at 1 is null; ${takes}`],
      // JSON knows nothing larger: it is no number any more when it comes to the plugin.
      ["[[1, 1e999]]", `"x" must hold numbers, and at 1 is null; ${takes}`],
      ["[[-1e39, 1]]", `"x" must hold finite float32, and at 0 is -1e+39; ${takes}`],
      ["[[1, 2, 3]]", '"x" must be float32[batch, 2], and is float32[1, 3]'],
      ["[1, 2]", '"x" must be float32[batch, 2], and is float32[2]'],
      ['[["1", 2]]', `"x" must hold numbers, and at 0 is "1"; ${takes}`],
      ["[[[[[[[[[[1]]]]]]]]]]", `"x" is nested deeper than 8 lists; ${takes}`],
      ['{"data": [1, 2], "shape": [1, -2]}', `"x" has a shape that is no list of sizes; ${takes}`],
      [
        '{"data": [1, 2], "shape": [1e308, 1]}',
        `"x" has a shape that is no list of sizes; ${takes}`,
      ],
      [
        '{"data": [1, 2], "type": "int64"}',
        `"x" must be float32, and says that it is int64; ${takes}`,
      ],
      ['{"data": "AADAfwAAgD8=", "shape": [1, 2]}', `finite float32, and at 0 is NaN; ${takes}`],
      ['{"data": "AACAfwAAgD8=", "shape": [1, 2]}', `and at 0 is Infinity; ${takes}`],
      ['{"data": "", "shape": [1099511627776, 2]}', '"x" has 0 elements, and its shape'],
    ];
    for (const [x, says] of wrong) {
      const { status, body } = await run(x);
      assert.equal(status, 400, `${x}: ${JSON.stringify(body)}`);
      assert.equal(body.code, "INVALID_INPUT");
      assert(body.detail.includes(says), `${x}: ${body.detail}`);
    }
    assert.equal((await run("[[NaN, 1]]")).status, 400);
    for (const more of [', "outputs": ["z"]', ', "encoding": "xml"', ', "file": "other.onnx"']) {
      const { status, body } = await run("[[1, 2]]", more);
      assert.equal(status, 400, JSON.stringify(body));
    }
    assert.equal((await call("candle.model.run", '{"model": "none", "inputs": {}}')).status, 404);
    assert.equal((await run("[[1, 2]]")).status, 200);
  });

  await t.step("a native engine that is not there is told, and nothing falls back", async () => {
    const config = await fetch(`${server.url}/api/plugins/candle/config`, {
      method: "POST",
      headers: { authorization: `Bearer ${server.token}`, "content-type": "application/json" },
      body: '{"settings": {"backend": "native"}}',
    });
    assert.equal(config.status, 200, await config.text());
    const { status, body } = await run("[[1, 2]]");
    assert.equal(status, 400, JSON.stringify(body));
    assert.equal(body.code, "UNSUPPORTED_FEATURE");
    assert(body.detail.includes("bkg engine add cpu"), body.detail);
  });
});
