/** Which rows are shown, and in which order. */
import type { Quote } from "./quote";

export const COLUMNS = ["symbol", "state", "price", "change", "percent", "spread", "volume"] as const;
export type Column = (typeof COLUMNS)[number];

export interface Order {
  readonly column: Column;
  readonly descending: boolean;
}

export const BY_SYMBOL: Order = { column: "symbol", descending: false };

/** The order after a click on *column*: a new column begins with what people look for, the same one turns round. */
export function turned(order: Order, column: Column): Order {
  if (order.column === column) return { column, descending: !order.descending };
  return { column, descending: column !== "symbol" && column !== "state" };
}

/** Whether *order* changes with each tick. */
export function moves(order: Order): boolean {
  return order.column !== "symbol";
}

/** *quotes* that match *sought*: pinned ones first, each part in *order*; what has no figure comes last. */
export function arranged(
  quotes: Iterable<Quote>,
  { column, descending }: Order,
  pins: ReadonlySet<string>,
  sought: string,
): Quote[] {
  const ranks = new Map<Quote, number>();
  for (const quote of quotes) {
    const rank = match(quote, sought);
    if (rank !== null) ranks.set(quote, pins.has(quote.symbol) ? -1 : sought === "" ? 0 : rank);
  }
  const sign = descending ? -1 : 1;
  return [...ranks.keys()].sort(
    (one, other) =>
      (ranks.get(one) ?? 0) - (ranks.get(other) ?? 0) ||
      compare(one[column], other[column], sign) ||
      compare(one.symbol, other.symbol, 1),
  );
}

/** How well *quote* fits *sought*, in capitals: 0 best; null: not at all. */
export function match(quote: Quote, sought: string): number | null {
  if (sought === "" || quote.symbol === sought) return 0;
  if (quote.symbol.startsWith(sought)) return 1;
  const parts = sought.split(/\s+/);
  if (parts.every((part) => quote.words.some((word) => word.startsWith(part)))) return 2;
  return quote.symbol.includes(sought) ? 3 : null;
}

function compare(one: string | number | null, other: string | number | null, sign: 1 | -1): number {
  if (one === other) return 0;
  if (one === null) return 1;
  if (other === null) return -1;
  return one < other ? -sign : sign;
}
