// Every page there is, as tests and screenshots go through them: with something running, so that none is empty.

import { join } from "node:path";
import type { Page } from "playwright-core";
import { projectRoot } from "../../build/bundles.ts";
import type { ServerProcess } from "../server_process.ts";

export interface ListedPage {
  /** Of its screenshots. */
  name: string;
  path: string;
  signedIn: boolean;
  /** Brings it to where there is something to see. */
  settle(page: Page): Promise<void>;
}

/** How each page is looked at. */
export const looks = {
  light: { colorScheme: "light", viewport: { width: 1280, height: 800 } },
  dark: { colorScheme: "dark", viewport: { width: 1280, height: 800 } },
  phone: { colorScheme: "light", viewport: { width: 360, height: 780 }, isMobile: true },
} as const;

const heading = (name: string | RegExp) => async (page: Page) => {
  await page.getByRole("heading", { level: 1, name }).waitFor();
};

export const listedPages: readonly ListedPage[] = [
  { name: "sign-in", path: "sign-in", signedIn: false, settle: heading(/sign in/i) },
  { name: "dashboard", path: "dashboard", signedIn: true, settle: heading("Dashboard") },
  { name: "plugins", path: "plugins", signedIn: true, settle: heading("Plugins") },
  ...["overview", "logs", "capabilities", "settings", "permissions"].map((tab) => ({
    name: `plugin-${tab}`,
    path: `plugins/llmserver#${tab}`,
    signedIn: true,
    settle: heading("LLM server"),
  })),
  {
    name: "chats",
    path: "chats",
    signedIn: true,
    async settle(page) {
      await page.getByRole("textbox").first().fill("Tell me a story about a fox and a lantern.");
      await page.keyboard.press("Enter");
      await page.getByRole("list", { name: "How this answer was made" }).first().waitFor();
    },
  },
  { name: "not-found", path: "nowhere", signedIn: true, settle: heading(/./) },
];

/** A stranger's plugin beside our own. */
export const pageListEnv = { BKG_PLUGIN_PATHS: join(projectRoot, "docs/examples") };

/** Starts the plugins and lets them answer, so that there are logs, figures and a grant to give. */
export async function warmUp(server: ServerProcess): Promise<void> {
  for (let count = 0; count < 3; count++) {
    const response = await server.fetch("/api/capabilities/llm.complete", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        model: "demo-stories-q8_0",
        prompt: "Once upon a time",
        maxTokens: 24,
      }),
    });
    await response.body?.cancel();
  }
  await server.fetch("/api/plugins/wordcount/start", { method: "POST" });
}
