import { describe, expect, it } from "vitest";
import { arranged, BY_SYMBOL, match, moves, turned } from "../src/pure/order";
import { Quote } from "../src/pure/quote";
import { tick } from "./tick";

function quotes(...rows: readonly (readonly [symbol: string, name: string, price: number | null])[]): Quote[] {
  return rows.map(([symbol, name, price]) => {
    const quote = new Quote(symbol);
    quote.list({ symbol, name, previous_close: 10 });
    if (price !== null) quote.take(tick({ symbol, price }), 0);
    return quote;
  });
}

const all = quotes(
  ["BAC", "Bank of America", 12],
  ["AAPL", "Apple Inc.", 9],
  ["ZZZ", "Never Traded", null],
  ["A", "Agilent", 15],
);
const names = (found: readonly Quote[]) => found.map(({ symbol }) => symbol);

describe("the order", () => {
  it("is by symbol at first", () =>
    expect(names(arranged(all, BY_SYMBOL, new Set(), ""))).toEqual(["A", "AAPL", "BAC", "ZZZ"]));

  it("puts what has no figure last, whichever way round", () => {
    for (const descending of [true, false])
      expect(names(arranged(all, { column: "percent", descending }, new Set(), "")).at(-1)).toBe("ZZZ");
    expect(names(arranged(all, { column: "change", descending: true }, new Set(), ""))).toEqual([
      "A",
      "BAC",
      "AAPL",
      "ZZZ",
    ]);
  });

  it("keeps pinned rows above the others, each part in order", () =>
    expect(names(arranged(all, { column: "price", descending: false }, new Set(["ZZZ", "BAC"]), ""))).toEqual([
      "BAC",
      "ZZZ",
      "AAPL",
      "A",
    ]));

  it("of equal figures is by symbol", () => {
    const same = quotes(["B", "", 1], ["C", "", 1], ["A", "", 1]);
    expect(names(arranged(same, { column: "price", descending: true }, new Set(), ""))).toEqual(["A", "B", "C"]);
  });

  it("turns round on the same column, and begins with the largest on another", () => {
    const first = turned(BY_SYMBOL, "volume");
    expect(first).toEqual({ column: "volume", descending: true });
    expect(turned(first, "volume").descending).toBe(false);
    expect(turned(first, "symbol").descending).toBe(false);
    expect([moves(BY_SYMBOL), moves(first)]).toEqual([false, true]);
  });
});

describe("the search", () => {
  const [bac, aapl] = all as [Quote, Quote, Quote, Quote];

  it("prefers the symbol itself, then its beginning, then words of the name, then its middle", () => {
    expect([match(aapl, "AAPL"), match(aapl, "AA"), match(aapl, "APPLE"), match(aapl, "PL")]).toEqual([0, 1, 2, 3]);
  });

  it("wants every word that was typed", () =>
    expect([match(bac, "BANK AM"), match(bac, "BANK APP")]).toEqual([2, null]));

  it("finds nothing where nothing fits", () => expect(arranged(all, BY_SYMBOL, new Set(["BAC"]), "QQQ")).toEqual([]));

  it("orders by how well it fits", () =>
    expect(names(arranged(all, BY_SYMBOL, new Set(), "A"))).toEqual(["A", "AAPL", "BAC"]));
});
