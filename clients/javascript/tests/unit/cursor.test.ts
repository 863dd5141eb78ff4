import { expect, test } from "vitest";
import { Cursor, compare } from "../../src/cursor.js";

function at(epoch: number, seq: number): Cursor {
  const cursor = new Cursor();
  cursor.subscribe({ epoch, seq });
  return cursor;
}

test("a subscription begins with the position given, and may only be repeated unchanged", () => {
  const cursor = at(1, 5);
  expect(cursor.position).toEqual({ epoch: 1, seq: 5 });
  expect(cursor.subscribe({ epoch: 1, seq: 5 })).toBe(true);
  expect(cursor.subscribe(null)).toBe(false);
});

test("a snapshot is legal only where nothing is accounted for", () => {
  const cursor = new Cursor();
  expect(cursor.snapshot({ epoch: 1, seq: 1 })).toBe(false);
  cursor.subscribe(null);
  expect(at(1, 1).snapshot({ epoch: 1, seq: 2 })).toBe(false);
  const fresh = new Cursor();
  fresh.subscribe(null);
  expect(fresh.snapshot({ epoch: 1, seq: 9 })).toBe(true);
});

test.each([
  [6, 0, true],
  [8, 2, true],
  [7, 0, false],
  [5, 0, false],
  [6, 1, false],
  [5, -1, false],
])("a tick %i after 5 with %i skipped is legal: %s", (seq, skipped, legal) => {
  expect(at(1, 5).tick(seq, skipped)).toBe(legal);
});

test.each([
  [1, 6, 9, true],
  [1, 6, null, true],
  [2, 6, 9, false],
  [1, 7, 9, false],
  [1, 6, 5, false],
])("a gap of epoch %i from %i to %s after (1, 5) is legal: %s", (epoch, from, to, legal) => {
  const cursor = at(1, 5);
  expect(cursor.gap(epoch, from, to)).toBe(legal);
  expect(cursor.position).toEqual(to === null ? null : { epoch, seq: to });
});

test("an epoch must be later", () => {
  expect(at(1, 5).epoch(2)).toBe(true);
  expect(at(2, 5).epoch(2)).toBe(false);
});

test("positions order by epoch, then by seq, and nothing is before everything", () => {
  expect(compare({ epoch: 1, seq: 9 }, { epoch: 2, seq: 1 })).toBeLessThan(0);
  expect(compare({ epoch: 1, seq: 9 }, { epoch: 1, seq: 8 })).toBeGreaterThan(0);
  expect(compare(null, { epoch: 1, seq: 1 })).toBeLessThan(0);
  expect(compare(null, null)).toBe(0);
});
