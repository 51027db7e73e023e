// JavaScript to be put in front of a home's text, so that a test can take the GPU away from whoever uses it there: what a
// driver's crash or a laptop's sleep do. It is in no product's code.

/** Goes before the boot's prelude, and before every script that is made behind it. */
export const takenGpuSource = `(${takeGpu.toString()})();\n`;

function takeGpu(): void {
  const known = Symbol.for("bkg.test.loseGpu");
  const scope = globalThis as unknown as Record<symbol, unknown> & {
    GPUAdapter?: { prototype: { requestDevice(...wanted: unknown[]): Promise<GpuDevice> } };
  };
  type GpuDevice = { destroy(): void };
  if (known in scope) return;
  const devices: GpuDevice[] = [];
  const destroy = () => {
    for (const device of devices.splice(0)) device.destroy();
  };
  // The models' Workers, each with a device of its own.
  const others = new BroadcastChannel("bkg.test.loseGpu");
  others.onmessage = destroy;
  scope[known] = () => {
    destroy();
    others.postMessage("");
  };
  const adapter = scope.GPUAdapter?.prototype;
  if (adapter !== undefined) {
    const { requestDevice } = adapter;
    adapter.requestDevice = async function (...wanted) {
      const device = await requestDevice.apply(this, wanted);
      devices.push(device);
      return device;
    };
  }
  const source = "(" + takeGpu.toString() + ")();\n";
  const { createObjectURL } = URL;
  URL.createObjectURL = (object: Blob) => {
    const isScript = object instanceof Blob && /javascript/.test(object.type);
    const served = isScript ? new Blob([source, object], { type: object.type }) : object;
    return createObjectURL.call(URL, served);
  };
}
