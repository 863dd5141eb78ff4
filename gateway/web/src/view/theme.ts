/** Light or dark: as the system says, until somebody says otherwise. */
const KEY = "tickwire.theme";
const CHOICES = new Set(["light", "dark"]);

export class Theme {
  readonly #system = matchMedia("(prefers-color-scheme: dark)");

  constructor(private readonly changed: () => void) {
    const kept = read(KEY);
    if (kept !== null && CHOICES.has(kept)) this.#set(kept);
    this.#system.addEventListener("change", changed);
  }

  get dark(): boolean {
    const chosen = document.documentElement.dataset.theme;
    return chosen === undefined ? this.#system.matches : chosen === "dark";
  }

  turn(): void {
    const next = this.dark ? "light" : "dark";
    this.#set(next);
    keep(KEY, next);
    this.changed();
  }

  #set(theme: string): void {
    document.documentElement.dataset.theme = theme;
  }
}

/** What is kept in this browser under *key*; null where there is nothing, or no storage. */
export function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // storage is forbidden here: the page works without
  }
}

export function keep(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // storage is full or forbidden: what was chosen holds until the page is left
  }
}
