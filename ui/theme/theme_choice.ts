// Light or dark: the person's choice, else the system's. Web Awesome reads the class on <html>.

export const themeChoices = ["system", "light", "dark"] as const;
export type ThemeChoice = typeof themeChoices[number];

export function readThemeChoice(): ThemeChoice {
  const stored = readStored();
  return themeChoices.find((choice) => choice === stored) ?? "system";
}

/** Stores the choice and shows it at once. */
export function chooseTheme(choice: ThemeChoice): void {
  try {
    localStorage.setItem(storageKey, choice);
  } catch {
    // Storage may be blocked; the choice then lasts as long as the page.
  }
  applyTheme(choice);
}

/** Shows `choice` now, and follows the system while it is "system". */
export function applyTheme(choice: ThemeChoice): void {
  stopFollowing();
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const show = () => {
    const dark = choice === "dark" || (choice === "system" && prefersDark.matches);
    document.documentElement.classList.toggle("wa-dark", dark);
    document.documentElement.classList.toggle("wa-light", !dark);
  };
  show();
  if (choice !== "system") return;
  prefersDark.addEventListener("change", show);
  stopFollowing = () => prefersDark.removeEventListener("change", show);
}

const storageKey = "bkg.theme";
let stopFollowing = () => {};

function readStored(): string | null {
  try {
    return localStorage.getItem(storageKey);
  } catch {
    return null;
  }
}
