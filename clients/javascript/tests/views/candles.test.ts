import fc from "fast-check";
import { expect, test } from "vitest";
import { CANDLES_KEPT, merge } from "../../src/views/candles.js";
import { aCandle } from "./fakefeed.js";

const starts = fc.uniqueArray(fc.integer({ min: 0, max: 50 })).map((all) => all.sort((one, other) => one - other));

test("Merged candles are each start's newest, in rising order, whatever comes in whichever order", () => {
  fc.assert(
    fc.property(fc.array(starts), (batches) => {
      const newest = new Map<number, number>();
      let kept = merge([], [], true);
      batches.forEach((batch, turn) => {
        for (const start of batch) newest.set(start, turn);
        const before = [...kept];
        const merged = merge(
          kept,
          batch.map((start) => aCandle(start, turn)),
          false,
        );
        expect(kept).toEqual(before);
        kept = merged;
      });
      const wanted = [...newest].sort(([one], [other]) => one - other).map(([start, turn]) => aCandle(start, turn));
      expect(kept).toEqual(wanted);
    }),
  );
});

test("Of more candles than are kept, the oldest go", () => {
  const all = Array.from({ length: CANDLES_KEPT + 5 }, (_, start) => aCandle(start, 1));
  expect(merge([], all, true)).toEqual(all.slice(5));
  expect(merge(all.slice(0, CANDLES_KEPT), all.slice(CANDLES_KEPT), false)).toEqual(all.slice(5));
});
