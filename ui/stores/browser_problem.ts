// Why this browser cannot run plugins, in a person's words. Caller: main.ts, for homes.ts.
// Threads and WebGPU are no conditions: without them a plugin is slower, and its page says so.

export interface BrowserProblem {
  /** What is missing, and why. */
  message: string;
  /** What to do about it. */
  advice: string;
}

/** What is looked at, as a window has it. */
export interface BrowserFeatures {
  isSecureContext: boolean;
  location: Pick<Location, "hostname" | "port" | "protocol">;
  Worker?: unknown;
  WebAssembly?: unknown;
  storage?: { getDirectory?: () => Promise<unknown> } | undefined;
}

/** Never rejects. */
export async function findBrowserProblem(
  features: BrowserFeatures,
): Promise<BrowserProblem | undefined> {
  const { isSecureContext, location, storage } = features;
  if (!isSecureContext) {
    const port = location.port || (location.protocol === "https:" ? "443" : "80");
    return {
      message: "This page came over plain http from another machine, and there the browser keeps " +
        "back what a plugin needs: private storage, shared memory and the GPU",
      advice: `Open bkg on its own machine as http://localhost:${port}, or make a tunnel with ` +
        `"ssh -L ${port}:127.0.0.1:${port} ${location.hostname}" and open ` +
        `http://localhost:${port} here, or serve bkg by https behind a reverse proxy`,
    };
  }
  if (features.Worker === undefined || features.WebAssembly === undefined) {
    return {
      message: "This browser has no Workers or no WebAssembly, which plugins run in",
      advice: "Use a current browser, and allow JavaScript and WebAssembly for this site",
    };
  }
  try {
    if (storage?.getDirectory === undefined) throw new TypeError("no OPFS");
    await storage.getDirectory();
  } catch {
    return {
      message: "This browser gives this page no private storage, where models are kept",
      advice: "Leave the private window, or allow this site to store data, and reload the page",
    };
  }
  return undefined;
}
