import { describe, expect, it } from "vitest";
import { Quote } from "../src/pure/quote";
import { tick } from "./tick";

describe("a quote", () => {
  it("knows nothing at first", () => {
    const quote = new Quote("AAPL");
    expect([quote.price, quote.change, quote.percent, quote.spread, quote.volume, quote.state]).toEqual([
      null,
      null,
      null,
      null,
      null,
      "waiting",
    ]);
  });

  it("changes against the previous close, of the day before that of the directory", () => {
    const quote = new Quote("AAPL");
    quote.list({ symbol: "AAPL", previous_close: 10 });
    quote.take(tick({ price: 12 }), 0);
    expect([quote.change, quote.percent]).toEqual([2, 20]);
    quote.day = {
      symbol: "AAPL",
      session: "open",
      previous_close: 8,
      open: 8,
      high: 8,
      low: 8,
      last: 8,
      volume: 1,
      change: 0,
      change_percent: 0,
    };
    expect([quote.change, quote.percent]).toEqual([4, 50]);
  });

  it("says which way the last price went, and when; not on the first, not on the same", () => {
    const quote = new Quote("AAPL");
    quote.take(tick({ price: 10 }), 1);
    expect(quote.moved).toBe(0);
    quote.take(tick({ price: 11 }), 2);
    expect([quote.moved, quote.movedAt]).toEqual([1, 2]);
    quote.take(tick({ price: 11 }), 3);
    expect([quote.moved, quote.movedAt]).toEqual([1, 2]);
    quote.take(tick({ price: 9 }), 4);
    expect([quote.moved, quote.movedAt]).toEqual([-1, 4]);
  });

  it("shows as many decimals as the directory says, else as the ticks have had", () => {
    const quote = new Quote("AAPL");
    quote.take(tick({ price: 0.1234 }), 0);
    quote.take(tick({ price: 0.12 }), 0);
    expect(quote.decimals).toBe(4);
    quote.list({ symbol: "AAPL", decimals: 3 });
    quote.take(tick({ price: 0.1234 }), 0);
    expect(quote.decimals).toBe(3);
  });

  it("is never above its day's high, nor below its low, though trades are skipped", () => {
    const quote = new Quote("AAPL");
    expect([quote.high(null), quote.low(undefined)]).toEqual([null, null]);
    quote.take(tick({ price: 12 }), 0);
    expect([quote.high(11), quote.high(13), quote.low(13), quote.low(11)]).toEqual([12, 13, 12, 11]);
  });

  it("says why it is refused, before anything else", () => {
    const quote = new Quote("AAPL");
    quote.session = "open";
    expect(quote.state).toBe("open");
    quote.refused = "not_entitled";
    expect(quote.state).toBe("not entitled");
  });
});
