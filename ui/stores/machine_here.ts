// What this browser brings for models: threads and WebGPU. Caller: the first run's page.

export interface MachineHere {
  /** Threads that a model gets in this browser; 1 where the page is not isolated. */
  threads: number;
  /** Whether memory may be shared between threads. */
  isolated: boolean;
  webgpu: BrowserGpu | undefined;
}

export interface BrowserGpu {
  /** As the browser names it, which may be nothing. */
  adapter: string;
  /** Drawn by the processor: no faster than it. */
  software: boolean;
}

/** What is looked at, as a window and its navigator have it. */
export interface MachineFeatures {
  crossOriginIsolated: boolean;
  hardwareConcurrency: number;
  gpu?: { requestAdapter(): Promise<GpuAdapter | null> } | undefined;
}

export interface GpuAdapter {
  /** Only in older browsers. */
  isFallbackAdapter?: boolean;
  info?: {
    vendor?: string;
    architecture?: string;
    description?: string;
    isFallbackAdapter?: boolean;
  };
}

/** Never rejects; a driver that does not answer within `timeoutMs` is none. */
export async function readMachineHere(
  features: MachineFeatures,
  { timeoutMs = 3000 }: { timeoutMs?: number } = {},
): Promise<MachineHere> {
  const { crossOriginIsolated: isolated, hardwareConcurrency } = features;
  return {
    threads: isolated ? Math.max(1, hardwareConcurrency) : 1,
    isolated,
    webgpu: await readGpu(features, timeoutMs),
  };
}

async function readGpu(
  { gpu }: MachineFeatures,
  timeoutMs: number,
): Promise<BrowserGpu | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const adapter = await Promise.race([
      gpu?.requestAdapter(),
      new Promise<null>((resolve) => timer = setTimeout(resolve, timeoutMs, null)),
    ]);
    return adapter ? describeAdapter(adapter) : undefined;
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

function describeAdapter({ isFallbackAdapter, info }: GpuAdapter): BrowserGpu {
  const { vendor = "", architecture = "", description = "" } = info ?? {};
  const adapter = description || `${vendor} ${architecture}`.trim();
  const software = isFallbackAdapter ?? info?.isFallbackAdapter ?? false;
  return { adapter, software: software || softwareAdapters.test(`${adapter} ${architecture}`) };
}

const softwareAdapters = /swiftshader|llvmpipe|lavapipe|softpipe|basic render|\bwarp\b/i;
