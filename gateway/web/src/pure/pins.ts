/** The pinned symbols as they are kept. */

const SYMBOL = /^[A-Z0-9][A-Z0-9.-]{0,15}$/;
/** Most pins that are kept. */
export const MOST_PINS = 200;

/** Read what `text` wrote; whatever else stands there counts as nothing. */
export function pins(kept: string | null): Set<string> {
  const names = (kept ?? "").split(",").filter((name) => SYMBOL.test(name));
  return new Set(names.slice(0, MOST_PINS));
}

export function text(symbols: ReadonlySet<string>): string {
  return [...symbols].slice(-MOST_PINS).join(",");
}
