import { definePlugin, type PluginContext } from "@bkg/plugin";

const load = async ({ models, engines }: PluginContext) =>
  await engines.onnx.load(await models.open("yunet_n_320_320"));

export default definePlugin<{ model?: ReturnType<typeof load> | undefined }>({
  setup: () => ({}),
  capabilities: {
    "faces.detect": async ({ pixels }: { pixels: string }, { ctx, state, signal }) => {
      state.model ??= load(ctx).catch((error) => {
        state.model = undefined;
        throw error;
      });
      const bytes = Uint8Array.fromBase64(pixels);
      // From pixel after pixel to one plane for each color.
      const data = Float32Array.from(bytes, (_, at) => bytes[at % 102400 * 3 + at / 102400 | 0]!);
      const input = { type: "float32", dims: [1, 3, 320, 320], data } as const;
      const { outputs } = await (await state.model).run({ input }, { signal });
      const read = (name: string, at: number) => Number(outputs[name]!.data[at]);
      const faces = [8, 16, 32].flatMap((stride) =>
        Array.from({ length: (320 / stride) ** 2 }, (_, cell) => {
          const score = Math.sqrt(read(`cls_${stride}`, cell) * read(`obj_${stride}`, cell));
          const box = [0, 1, 2, 3].map((at) => read(`bbox_${stride}`, cell * 4 + at));
          const [width, height] = [Math.exp(box[2]!) * stride, Math.exp(box[3]!) * stride];
          const x = (cell % (320 / stride) + box[0]!) * stride - width / 2;
          const y = (Math.floor(cell / (320 / stride)) + box[1]!) * stride - height / 2;
          return { score, x, y, width, height };
        }).filter(({ score }) => score > 0.6)
      ).sort((a, b) => b.score - a.score);
      // Of boxes with one middle the best: they are one face.
      const isSame = (a: typeof faces[0], b: typeof faces[0]) =>
        Math.abs(a.x - b.x) < a.width / 2 && Math.abs(a.y - b.y) < a.height / 2;
      return {
        faces: faces.filter((face, at) => !faces.slice(0, at).some((b) => isSame(b, face))),
      };
    },
  },
});
