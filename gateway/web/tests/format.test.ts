import { describe, expect, it } from "vitest";
import { compact, count, decimalsOf, milliseconds, percent, price, signed, way } from "../src/pure/format";

describe("figures", () => {
  it.each([
    [10.5, 2, "10.50"],
    [1234.5, 2, "1,234.50"],
    [-0.5, 2, "−0.50"],
    [0.1234, 4, "0.1234"],
    [null, 2, "–"],
    [Number.NaN, 2, "–"],
  ])("a price %s with %s decimals is %s", (value, decimals, text) => expect(price(value, decimals)).toBe(text));

  it.each([
    [0.5, "+0.50"],
    [-0.5, "−0.50"],
    [0, "0.00"],
    [0.001, "0.00"],
    [-0.001, "0.00"],
    [-1000, "−1,000.00"],
    [null, "–"],
  ])("a difference of %s is %s: with a sign, but for nothing", (value, text) => expect(signed(value, 2)).toBe(text));

  it("a percentage has its sign", () =>
    expect([percent(1.234), percent(-0.001), percent(null)]).toEqual(["+1.23%", "0.00%", "–"]));

  it("points where its text points", () =>
    expect(["+0.01", "−0.01", "0.00", "–"].map(way)).toEqual(["up", "down", "", ""]));

  it.each([
    [0, "0"],
    [987, "987"],
    [1000, "1.0K"],
    [12_345, "12.3K"],
    [1_200_345, "1.2M"],
    [null, "–"],
  ])("a count of %s in short is %s", (value, text) => expect(compact(value)).toBe(text));

  it("a count in full has groups", () => expect(count(1234567)).toBe("1,234,567"));

  it.each([
    [0.84, "0.8 ms"],
    [9.94, "9.9 ms"],
    [12.4, "12 ms"],
    [1234, "1.2 s"],
    [-0.4, "−0.4 ms"],
    [undefined, "–"],
    [Number.NaN, "–"],
  ])("%s milliseconds are %s", (value, text) => expect(milliseconds(value)).toBe(text));

  it("decimals are those that the longest figure shows, at least 2", () =>
    expect([decimalsOf(10, 10.5), decimalsOf(0.1234, 0.12), decimalsOf(1e-9)]).toEqual([2, 4, 2]));
});
