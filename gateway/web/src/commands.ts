/** What each key does to the page's parts. */
import type { Action } from "./pure/keys";
import type { Quote } from "./pure/quote";
import type { Detail } from "./view/detail";
import { by } from "./view/dom";
import type { Grid } from "./view/grid";
import type { Help } from "./view/help";
import type { Theme } from "./view/theme";
import type { Wire } from "./view/wire";

export interface Parts {
  readonly grid: Grid;
  readonly detail: Detail;
  readonly wire: Wire;
  readonly help: Help;
  readonly theme: Theme;
  readonly choose: (quote: Quote) => void;
  readonly pin: (quote: Quote) => void;
}

/** Return what obeys an action, and says whether the key is used up. */
export function commands(parts: Parts): (action: Action) => boolean {
  const { grid, detail, wire, help, theme } = parts;
  const withActive = (use: (quote: Quote) => void) => grid.active !== null && use(grid.active);
  const table: Readonly<Record<Exclude<Action, "leave">, () => unknown>> = {
    search: () => by<HTMLInputElement>("search").select(),
    up: () => grid.move(-1),
    down: () => grid.move(1),
    "page-up": () => grid.move(-grid.page),
    "page-down": () => grid.move(grid.page),
    first: () => grid.move(Number.NEGATIVE_INFINITY),
    last: () => grid.move(Number.POSITIVE_INFINITY),
    choose: () => withActive(parts.choose),
    pin: () => withActive(parts.pin),
    wire: () => wire.toggle(),
    help: () => help.toggle(),
    theme: () => theme.turn(),
    seconds: () => detail.switch("1s"),
    minutes: () => detail.switch("1m"),
  };
  return (action) => {
    if (action === "leave") return leave(parts);
    table[action]();
    return true;
  };
}

/** Leave what is open: the search, the drawer, the chart, in this order.  A dialog closes by itself. */
function leave({ grid, detail, wire, help }: Parts): boolean {
  const search = by<HTMLInputElement>("search");
  if (help.open) return false;
  if (document.activeElement === search || search.value !== "") {
    search.value = "";
    grid.search("");
    by("grid").focus();
  } else if (wire.open) wire.toggle();
  else if (detail.quote !== null) detail.close();
  return true;
}
