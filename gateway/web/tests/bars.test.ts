import { describe, expect, it } from "vitest";
import { Bars, MOST_BARS } from "../src/pure/bars";

const candle = (second: number, close = 1) => ({
  start: second * 1e6,
  epoch: 1,
  open: 1,
  high: 2,
  low: 0.5,
  close,
  volume: 3,
  trades: 1,
});

describe("bars", () => {
  it("begin with all that a reset brings, in order", () => {
    const bars = new Bars();
    const { all, bars: shown } = bars.take([candle(2), candle(1)], true);
    expect(all).toBe(true);
    expect(shown.map(({ time }) => time)).toEqual([1, 2]);
  });

  it("go on with the last one that grows and the next one, and only these are drawn", () => {
    const bars = new Bars();
    bars.take([candle(1), candle(2)], true);
    const { all, bars: shown } = bars.take([candle(2, 5), candle(3)], false);
    expect(all).toBe(false);
    expect(shown.map(({ time, close }) => [time, close])).toEqual([
      [2, 5],
      [3, 1],
    ]);
    expect(bars.all.map(({ time }) => time)).toEqual([1, 2, 3]);
  });

  it("that come late are put where they belong, and all is drawn anew", () => {
    const bars = new Bars();
    bars.take([candle(1), candle(3)], true);
    expect(bars.take([candle(2)], false).all).toBe(true);
    expect(bars.take([candle(1, 9)], false).all).toBe(true);
    expect(bars.all.map(({ time, close }) => [time, close])).toEqual([
      [1, 9],
      [2, 1],
      [3, 1],
    ]);
  });

  it("are at most so many", () => {
    const bars = new Bars();
    for (let at = 0; at < MOST_BARS + 10; at += 1) bars.take([candle(at)], false);
    expect([bars.size, bars.all[0]?.time]).toEqual([MOST_BARS, 10]);
  });
});
