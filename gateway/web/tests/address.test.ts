import { describe, expect, it } from "vitest";
import { stream, wish } from "../src/pure/address";

describe("the address", () => {
  it("asks for everything where it says nothing", () =>
    expect(wish("", "")).toEqual({ symbols: null, rate: null, chosen: null, faults: [] }));

  it("names symbols, a rate and the chart's symbol, in any case", () => {
    expect(wish("?symbols=aapl,%20msft,AAPL&max_rate=5", "#brk.b")).toEqual({
      symbols: ["AAPL", "MSFT"],
      rate: 5,
      chosen: "BRK.B",
      faults: [],
    });
  });

  it("says what is wrong with it, and uses the rest", () => {
    const found = wish("?symbols=AAPL,no_such&max_rate=1000", "#%zz");
    expect(found.symbols).toEqual(["AAPL"]);
    expect(found.rate).toBeNull();
    expect(found.chosen).toBeNull();
    expect(found.faults).toEqual([expect.stringContaining("NO_SUCH"), expect.stringContaining("from 0.1 to 100")]);
  });

  it.each([
    ["http://h:8080/", "ws://h:8080/v1/stream"],
    ["https://h/tick/?symbols=A#B", "wss://h/tick/v1/stream"],
    ["https://h/tick/index.html", "wss://h/tick/v1/stream"],
  ])("of %s has its stream at %s", (page, found) => expect(stream(page)).toBe(found));
});
