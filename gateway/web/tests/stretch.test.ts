import { describe, expect, it } from "vitest";
import { MARGIN, revealed, stretch } from "../src/pure/stretch";

describe("the part of the list that is drawn", () => {
  it("is what is seen and a margin, within the list", () => {
    expect(stretch(0, 400, 40, 1000)).toEqual({ first: 0, end: 10 + MARGIN });
    expect(stretch(4000, 400, 40, 1000)).toEqual({ first: 100 - MARGIN, end: 110 + MARGIN });
    expect(stretch(39_600, 400, 40, 1000)).toEqual({ first: 990 - MARGIN, end: 1000 });
  });

  it("is nothing where there is nothing, or the list was just made shorter", () => {
    expect(stretch(0, 400, 40, 0)).toEqual({ first: 0, end: 0 });
    expect(stretch(4000, 400, 40, 3)).toEqual({ first: 3, end: 3 });
  });

  it("never has more rows than fit, however far the list is scrolled", () => {
    for (let top = 0; top < 40_000; top += 97) {
      const { first, end } = stretch(top, 400, 40, 1000);
      expect(end - first).toBeLessThanOrEqual(11 + 2 * MARGIN);
      expect(first * 40).toBeLessThanOrEqual(top);
      expect(end * 40).toBeGreaterThanOrEqual(Math.min(40_000, top + 400));
    }
  });
});

describe("revealing a row", () => {
  it("scrolls no further than needed", () => {
    expect(revealed(5, 0, 400, 40, 34)).toBe(0);
    expect(revealed(2, 400, 400, 40, 34)).toBe(80);
    expect(revealed(20, 0, 400, 40, 34)).toBe(20 * 40 + 40 + 34 - 400);
  });
});
