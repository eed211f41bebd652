import { effect, signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";
export const themes: Theme[] = ["system", "light", "dark"];

const key = "haiku-theme";

/** What this browser keeps, if it keeps anything. */
export function remembered(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

export function remember(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Storage is switched off: the choice lasts until the page is closed.
  }
}

const stored = remembered(key) as Theme | null;
export const theme = signal<Theme>(stored && themes.includes(stored) ? stored : "system");
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
/** Which one is shown. */
export const dark = signal(false);

export function applyTheme(): void {
  const show = () => {
    dark.value = theme.value === "dark" || (theme.value === "system" && prefersDark.matches);
    document.documentElement.dataset.theme = dark.value ? "dark" : "light";
  };
  prefersDark.addEventListener("change", show);
  effect(show);
}

export function setTheme(next: Theme): void {
  theme.value = next;
  remember(key, next);
}
