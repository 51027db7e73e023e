// Every page there is, as tests and screenshots go through them: with something running, so that none is empty.

import { existsSync } from "node:fs";
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

/** A tensor model for the dashboard of tensors, where it is here. */
const yunet = join(projectRoot, "../shared/models/yunet");
const hasYunet = existsSync(yunet);

const row = (name: RegExp) => async (page: Page) => {
  await page.getByRole("row", { name }).first().waitFor();
};

export const listedPages: readonly ListedPage[] = [
  { name: "sign-in", path: "sign-in", signedIn: false, settle: heading(/sign in/i) },
  { name: "dashboard", path: "dashboard", signedIn: true, settle: heading("Dashboard") },
  { name: "welcome", path: "welcome", signedIn: true, settle: heading("Your first model") },
  { name: "plugins", path: "plugins", signedIn: true, settle: heading("Plugins") },
  {
    name: "plugin-llmserver",
    path: "plugins/llmserver",
    signedIn: true,
    settle: row(/demo-stories/),
  },
  {
    name: "plugin-candle",
    path: "plugins/candle",
    signedIn: true,
    async settle(page) {
      await page.getByRole("heading", { name: "Run a model" }).waitFor();
      if (!hasYunet) return;
      await page.locator("bkg-tensor-runner wa-select").click();
      await page.getByRole("option", { name: "yunet_n_320_320" }).click();
      await page.getByRole("button", { name: "Load", exact: true }).click();
      await page.getByRole("button", { name: "Run", exact: true }).click();
      await page.getByText(/^Ran in/).waitFor();
    },
  },
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
  { name: "models", path: "models", signedIn: true, settle: row(/demo-stories/) },
  {
    name: "models-catalogue",
    path: "models#catalogue",
    signedIn: true,
    async settle(page) {
      await page.getByRole("article").first().waitFor();
    },
  },
  { name: "api-keys", path: "api-keys", signedIn: true, settle: row(/notebook/) },
  { name: "account", path: "account", signedIn: true, settle: row(/llm\.complete/) },
  { name: "users", path: "users", signedIn: true, settle: row(/maria/) },
  { name: "roles", path: "users#roles", signedIn: true, settle: row(/family/) },
  { name: "audit", path: "audit", signedIn: true, settle: row(/user\.create/) },
  { name: "settings", path: "settings", signedIn: true, settle: heading("Settings") },
  {
    name: "forbidden",
    path: "users",
    signedIn: true,
    async settle(page) {
      // As the server would answer somebody of a narrower role.
      await page.route("**/auth/me", async (route) => {
        const answer = await (await route.fetch()).json() as { principal: object };
        await route.fulfill({
          json: {
            ...answer,
            principal: { ...answer.principal, role: "user", scopes: ["account"] },
          },
        });
      });
      await page.reload();
      await page.getByText("You may not see this page").waitFor();
      await page.unrouteAll();
    },
  },
  { name: "not-found", path: "nowhere", signedIn: true, settle: heading(/./) },
];

/** A stranger's plugin beside our own. */
export const pageListEnv = {
  BKG_PLUGIN_PATHS: join(projectRoot, "docs/examples"),
  ...(hasYunet ? { BKG_MODEL_PATHS: yunet } : {}),
};

/** Lets plugins answer and makes accounts, so that there are logs, figures, a grant to give, users and keys. */
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
  await send(server, "PUT", "/admin/roles/family", {
    scopes: ["invoke:llm.*", "account", "models:read"],
    limits: { tokensPerDay: 50_000 },
  });
  await send(server, "POST", "/admin/users", { name: "maria", role: "operator" });
  await send(server, "POST", "/admin/users", { name: "jonas", role: "family" });
  await send(server, "POST", "/api/keys", {
    name: "notebook",
    scopes: ["invoke:llm.*", "models:read"],
  });
}

async function send(
  server: ServerProcess,
  method: string,
  path: string,
  body: unknown,
): Promise<void> {
  const response = await server.fetch(path, {
    method,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}`);
}
