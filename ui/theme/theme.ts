// Runs before the first paint, as a script of its own: puts the chosen theme on the document.
// The choice is "system", "light" or "dark"; theme_choice.ts changes it later.

import { applyTheme, readThemeChoice } from "./theme_choice.ts";

applyTheme(readThemeChoice());
