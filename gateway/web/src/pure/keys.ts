/** What a key means. */

export type Action =
  | "search"
  | "leave"
  | "up"
  | "down"
  | "page-up"
  | "page-down"
  | "first"
  | "last"
  | "choose"
  | "pin"
  | "wire"
  | "help"
  | "theme"
  | "seconds"
  | "minutes";

export interface Press {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
}

/** Where the focus is: in the field of the search, in another one, on a button or link, in the list. */
export type Place = "field" | "typing" | "control" | "list" | "elsewhere";

const LETTERS: Readonly<Record<string, Action>> = {
  "/": "search",
  p: "pin",
  w: "wire",
  "?": "help",
  t: "theme",
  "1": "seconds",
  "2": "minutes",
};
const MOVES: Readonly<Record<string, Action>> = {
  ArrowUp: "up",
  ArrowDown: "down",
  PageUp: "page-up",
  PageDown: "page-down",
  Home: "first",
  End: "last",
  Enter: "choose",
};
/** In a search field these move the list all the same: the letters stay the field's. */
const FROM_FIELD = new Set(["ArrowUp", "ArrowDown", "PageUp", "PageDown", "Enter"]);

/** Return what *press* asks for.  *letters*: whether single letters are shortcuts (WCAG 2.1.4 wants a way to say no). */
export function action(press: Press, place: Place, letters: boolean): Action | null {
  if (press.ctrlKey || press.metaKey || press.altKey) return null;
  if (press.key === "Escape") return "leave";
  const moves = place === "list" || place === "elsewhere" || (place === "field" && FROM_FIELD.has(press.key));
  if (moves && MOVES[press.key]) return MOVES[press.key] ?? null;
  if (!letters || place === "field" || place === "typing") return null;
  return LETTERS[press.key.length === 1 ? press.key.toLowerCase() : press.key] ?? null;
}
