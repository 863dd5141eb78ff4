import { describe, expect, it } from "vitest";
import { closes, MOST_POINTS, path, SPAN_MS, STEP_MS, Trace } from "../src/pure/trace";

describe("a trace", () => {
  it("has one point for each step, and the newest price at its end", () => {
    const trace = new Trace();
    for (let at = 0; at <= 10 * STEP_MS; at += STEP_MS / 4) trace.add(at, at);
    expect(trace.points.length).toBeLessThanOrEqual(12);
    expect(trace.points.at(-1)).toEqual({ at: 10 * STEP_MS, price: 10 * STEP_MS });
  });

  it("never has more points than can be told apart, and reaches back half an hour", () => {
    const trace = new Trace();
    for (let at = 0; at <= 2 * SPAN_MS; at += STEP_MS) {
      trace.add(at, at % 7);
      expect(trace.points.length).toBeLessThanOrEqual(MOST_POINTS);
    }
    const first = trace.points[0]?.at ?? 0;
    expect(first).toBeGreaterThanOrEqual(SPAN_MS);
    expect(first).toBeLessThan(SPAN_MS + 120_000);
  });

  it("takes what is older before what it has, and nothing twice", () => {
    const trace = new Trace();
    trace.add(100_000, 1);
    trace.precede([
      { at: 40_000, price: 5 },
      { at: 100_000, price: 9 },
    ]);
    expect(trace.points).toEqual([
      { at: 40_000, price: 5 },
      { at: 100_000, price: 1 },
    ]);
  });

  it("takes no step back where the clock is set back", () => {
    const trace = new Trace();
    trace.add(1000, 1);
    trace.add(500, 2);
    expect(trace.points).toEqual([{ at: 1000, price: 1 }]);
  });

  it("rises in version with each change, so that only what changed is drawn", () => {
    const trace = new Trace();
    const before = trace.version;
    trace.add(1, 1);
    expect(trace.version).toBeGreaterThan(before);
  });
});

describe("closes", () => {
  it("stand at the end of their minute; the growing one is left to the ticks", () => {
    const minutes = [
      { start: 0, open: 1, close: 2, complete: true },
      { start: 60e6, open: 2, close: 3, complete: false },
    ];
    expect(closes(minutes)).toEqual([
      { at: 0, price: 1 },
      { at: 60_000, price: 2 },
    ]);
    expect(closes(minutes.slice(1))).toEqual([]);
  });
});

describe("its path", () => {
  it("spans the box: the lowest price below, the highest above", () => {
    expect(
      path(
        [
          { at: 0, price: 1 },
          { at: 5, price: 3 },
          { at: 10, price: 2 },
        ],
        100,
        20,
        0,
      ),
    ).toBe("M0 20L50 0L100 10");
  });

  it("is a line in the middle where nothing moved, and nothing for one point", () => {
    expect(
      path(
        [
          { at: 0, price: 1 },
          { at: 1, price: 1 },
        ],
        10,
        20,
      ),
    ).toBe("M0 10L10 10");
    expect(path([{ at: 0, price: 1 }], 10, 20)).toBe("");
  });
});
