// A face of ellipses, plain enough to be written here and plain enough to be found: for tests of models that see.

/** 320 x 320: rows of blue, green and red bytes. Its middle is at 160, 160; it is 124 wide and 160 high. */
export function drawFace(): Uint8Array<ArrayBuffer> {
  const pixels = new Uint8Array(size * size * 3);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const [red, green, blue] = colorAt(x, y);
      pixels.set([blue, green, red], (y * size + x) * 3);
    }
  }
  return pixels;
}

type Color = readonly [red: number, green: number, blue: number];

function colorAt(x: number, y: number): Color {
  const within = (centerX: number, centerY: number, radiusX: number, radiusY: number) =>
    ((x - centerX) / radiusX) ** 2 + ((y - centerY) / radiusY) ** 2 < 1;
  if (!within(160, 160, 62, 80)) {
    if (within(160, 230, 28, 50)) return neck;
    if (y > 230 && within(160, 320, 120, 90)) return shirt;
    return within(160, 130, 78, 92) ? hair : wall;
  }
  if (within(160, 206, 22, 1.5)) return mouth;
  if (within(160, 207, 24, 7)) return lips;
  if (within(152, 186, 5, 3) || within(168, 186, 5, 3)) return nostril;
  for (const eye of [135, 185]) {
    if (within(eye, 145, 6, 6)) return pupil;
    if (within(eye, 145, 12, 7)) return white;
    if (within(eye, 128, 16, 4)) return brow;
  }
  const fromMiddle = ((x - 160) / 62) ** 2 + ((y - 160) / 80) ** 2;
  const light = (1 - 0.25 * fromMiddle - 0.1 * (x - 160) / 62) *
    (within(160, 168, 6, 22) ? 1.07 : 1);
  return [225, 178, 150].map((value) =>
    Math.min(255, Math.round(value * light))
  ) as unknown as Color;
}

const size = 320;
const wall: Color = [90, 120, 150];
const hair: Color = [50, 35, 25];
const neck: Color = [190, 145, 120];
const shirt: Color = [60, 60, 110];
const brow: Color = [60, 40, 30];
const white: Color = [240, 240, 240];
const pupil: Color = [50, 30, 20];
const nostril: Color = [120, 70, 60];
const lips: Color = [170, 70, 75];
const mouth: Color = [90, 30, 35];
