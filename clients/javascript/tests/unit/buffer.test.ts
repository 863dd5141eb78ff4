import fc from "fast-check";
import { expect, test } from "vitest";
import { Buffer, LIMIT } from "../../src/buffer.js";
import type { Tick } from "../../src/types.js";

const tick = (symbol: string, seq: number) => ({ symbol, seq }) as Tick;

function drained(buffer: Buffer, now: number): Tick[] {
  const taken: Tick[] = [];
  for (let next = buffer.take(now); next; next = buffer.take(now)) taken.push(next);
  return taken;
}

test("everything passes while there is room", () => {
  const buffer = new Buffer(0);
  for (let seq = 1; seq <= LIMIT; seq++) buffer.offer(tick("A", seq), 0);
  expect(drained(buffer, 0).map(({ seq }) => seq)).toEqual(Array.from({ length: LIMIT }, (_, n) => n + 1));
  expect(buffer.empty).toBe(true);
});

test("beyond that the newest of each symbol waits, and says how many it stands for", () => {
  const buffer = new Buffer(0);
  for (let seq = 1; seq <= LIMIT + 10; seq++) buffer.offer(tick("A", seq), 0);
  buffer.offer(tick("B", 1), 0);
  const taken = drained(buffer, 0);
  expect(taken.length).toBe(LIMIT + 2);
  expect(taken.at(-2)).toMatchObject({ symbol: "A", seq: LIMIT + 10, skipped: 9 });
  buffer.offer(tick("A", LIMIT + 11), 0);
  expect(drained(buffer, 0)).toEqual([tick("A", LIMIT + 11)]); // it conflates no longer
});

test("a paced listener gets the first at once, the last one always, and at most one per interval", () => {
  const buffer = new Buffer(100);
  for (let seq = 1; seq <= 5; seq++) buffer.offer(tick("A", seq), seq, true);
  expect(drained(buffer, 5)).toEqual([tick("A", 1)]);
  expect(buffer.due(5)).toBe(101);
  expect(drained(buffer, 100)).toEqual([]);
  expect(drained(buffer, 101)).toMatchObject([{ seq: 5, skipped: 3 }]);
  expect(buffer.due(101)).toBe(Number.POSITIVE_INFINITY);
});

test("whatever is offered and taken when, each tick is taken or counted once, and in order", () => {
  const step = fc.record({
    symbol: fc.constantFrom("A", "B"),
    wait: fc.nat(150),
    paced: fc.boolean(),
    take: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 100 }),
      fc.constantFrom(0, 100),
      fc.boolean(),
      (steps, interval, conflating) => {
        const buffer = new Buffer(interval, conflating);
        const offered: Record<string, number> = { A: 0, B: 0 };
        const taken: Tick[] = [];
        let now = 0;
        for (const { symbol, wait, paced, take } of steps) {
          now += wait;
          buffer.offer(tick(symbol, ++(offered[symbol] as number)), now, paced && interval > 0);
          if (take) taken.push(...drained(buffer, now));
        }
        taken.push(...drained(buffer, now + 1000));
        for (const symbol of ["A", "B"]) {
          const ours = taken.filter((one) => one.symbol === symbol);
          let at = 0;
          for (const { seq, skipped = 0 } of ours) {
            expect(seq).toBe(at + skipped + 1);
            at = seq;
          }
          expect(at).toBe(offered[symbol]);
        }
      },
    ),
  );
});
