// A real Chromium for tests of the page: found where the system has it, started once a test, always closed.

import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { type ServerProcess, startServer, type StartServerOptions } from "../server_process.ts";

/** Why tests in a browser cannot run here; undefined when they can. */
export function browserProblem(): string | undefined {
  return findChromium() === undefined
    ? "no Chromium was found (Debian: apt-get install chromium; else name it in CHROMIUM_PATH)"
    : undefined;
}

export interface PageTest extends AsyncDisposable {
  readonly server: ServerProcess;
  readonly browser: Browser;
  /** A page in a context of its own: a device that nobody has signed in on. */
  newPage(options?: BrowserContextOptions): Promise<Page>;
  /** What pages wrote to the console as errors, and refused by policy: must stay empty. */
  readonly problems: string[];
}

export interface OpenPageTestOptions extends StartServerOptions {
  /** Further arguments of Chromium's command line. */
  browserArgs?: readonly string[];
}

/** Starts a server as a user would, and a browser beside it. */
export async function openPageTest(options: OpenPageTestOptions = {}): Promise<PageTest> {
  const parts = new AsyncDisposableStack();
  try {
    const server = parts.use(await startServer(options));
    const browser = await launchChromium(options.browserArgs);
    parts.defer(() => browser.close());
    const problems: string[] = [];
    return {
      server,
      browser,
      problems,
      async newPage(contextOptions) {
        const context = await browser.newContext({ baseURL: server.url, ...contextOptions });
        const page = await context.newPage();
        page.setDefaultTimeout(20_000);
        page.on("console", (message) => {
          if (message.type() === "error") problems.push(message.text());
        });
        page.on("pageerror", (error) => problems.push(error.message));
        return page;
      },
      [Symbol.asyncDispose]: () => parts.disposeAsync(),
    };
  } catch (error) {
    await parts.disposeAsync();
    throw error;
  }
}

/** `ignoreDefaultArgs`: what playwright would say to Chromium, and does not. */
export async function launchChromium(
  args: readonly string[] = [],
  ignoreDefaultArgs: string[] = [],
): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error(browserProblem());
  return await chromium.launch({
    executablePath,
    // Containers give Chromium no namespaces for its own sandbox; pages here are the project's own.
    args: ["--no-sandbox", "--disable-dev-shm-usage", ...args],
    ignoreDefaultArgs,
  });
}

/** Signs the page's device in by a single-use code, as the link of `bkg login` does, and goes to `path`. */
export async function signIn(page: Page, server: ServerProcess, path = "dashboard"): Promise<void> {
  const response = await server.fetch("/auth/codes", { method: "POST" });
  const { code } = await response.json() as { code: string };
  await page.goto(`${server.url}/${path}#code=${code}`);
  // Not the sign-in page, which is there while the code is exchanged.
  await page.getByRole("navigation", { name: "Main" }).waitFor();
  // Not the heading that stands in while the page's script comes.
  await page.locator("main > :not(bkg-page-header)").getByRole("heading", { level: 1 }).first()
    .waitFor();
}

function findChromium(): string | undefined {
  const named = Deno.env.get("CHROMIUM_PATH");
  const known = [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  ];
  return [...(named === undefined ? [] : [named]), ...known].find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}
