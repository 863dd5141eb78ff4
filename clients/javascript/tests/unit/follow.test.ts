/** One symbol: what is handed out, and the account of the rest, whatever a gateway says. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { compare } from "../../src/cursor.js";
import { Follow, type RawTick, tally } from "../../src/follow.js";
import type { Gap, Position, Tick } from "../../src/types.js";

function followed(start?: Position) {
  const given: Tick[] = [];
  const follow = new Follow("A", tally(), (_, tick) => given.push(tick), true, start);
  return { follow, given };
}

function tick(seq: number, skipped?: number): RawTick {
  return { symbol: "A", seq, ...(skipped === undefined ? {} : { skipped }) } as RawTick;
}

function shown(epoch: number, seq: number): RawTick {
  return { symbol: "A", epoch, seq } as RawTick;
}

function gap(epoch: number, from: number, to: number | null, reason = "lost"): Gap {
  return { symbol: "A", epoch, from, to, reason, final: true };
}

const positions = (given: readonly Tick[]) => given.map(({ epoch, seq }) => [epoch, seq]);

test("a gateway that keeps to the table is accounted for tick by tick", () => {
  const { follow, given } = followed();
  expect(follow.subscribed(null)).toEqual([true, null]);
  expect(follow.shown(shown(1, 10))).toBe(true);
  expect(follow.tick(tick(11))).toBe(true);
  expect(follow.tick(tick(14, 2))).toBe(true);
  expect(follow.gap(gap(1, 15, 19))).toBe(true);
  expect(follow.tick(tick(20))).toBe(true);
  expect(follow.epoch(2)).toBe(true);
  expect(follow.tick(tick(1))).toBe(true);
  expect(positions(given)).toEqual([[1, 10], [1, 11], [1, 14], [1, 20], [2, 1]]); // biome-ignore format: a row
  expect(follow.account).toEqual({ ...tally(), delivered: 5, conflated: 2, missing: 5 });
});

test("a gap without an end is counted at the next snapshot of the same epoch", () => {
  const { follow } = followed();
  follow.subscribed({ epoch: 1, seq: 5 });
  follow.gap(gap(1, 6, null, "unavailable"));
  expect(follow.shown(shown(1, 20))).toBe(true);
  expect(follow.account).toEqual({ ...tally(), delivered: 1, missing: 14 });
});

test("over the end of an epoch nobody can count it", () => {
  const { follow } = followed();
  follow.subscribed({ epoch: 1, seq: 5 });
  follow.gap(gap(1, 6, null, "unavailable"));
  follow.shown(shown(2, 20));
  expect(follow.account).toEqual({ ...tally(), delivered: 1, unknown: 1 });
});

test("what a gateway leaves out without a word is unexplained, and handed on all the same", () => {
  const { follow, given } = followed();
  follow.subscribed({ epoch: 1, seq: 5 });
  expect(follow.tick(tick(9))).toBe(false);
  expect(follow.account).toEqual({ ...tally(), delivered: 1, unexplained: 3 });
  expect(positions(given)).toEqual([[1, 9]]);
});

test("what comes twice is handed to nobody", () => {
  const { follow, given } = followed();
  follow.subscribed({ epoch: 1, seq: 5 });
  follow.tick(tick(6));
  expect(follow.tick(tick(6))).toBe(false);
  expect(follow.tick(tick(7))).toBe(true);
  expect(positions(given)).toEqual([[1, 6], [1, 7]]); // biome-ignore format: a row
  expect(follow.account.repeated).toBe(1);
});

test("a connection that ends leaves the position to go on after", () => {
  const { follow } = followed();
  follow.subscribed({ epoch: 1, seq: 5 });
  follow.tick(tick(6));
  follow.disconnect();
  expect(follow.resume).toEqual({ epoch: 1, seq: 6 });
  expect(follow.tick(tick(7))).toBe(false); // nothing is subscribed
  expect(follow.subscribed({ epoch: 1, seq: 6 })).toEqual([true, null]);
  expect(follow.tick(tick(7))).toBe(true);
});

test("a gateway that does not take the position up is told as a gap, and the hole is counted", () => {
  const { follow } = followed({ epoch: 1, seq: 5 });
  const [legal, told] = follow.subscribed(null);
  expect([legal, told]).toMatchObject([true, { from: 6, to: null, reason: "not_resumed" }]);
  follow.shown(shown(1, 9));
  expect(follow.account).toEqual({ ...tally(), delivered: 1, missing: 3 });
});

test("a position that was never published begins anew where the gateway is", () => {
  const { follow, given } = followed({ epoch: 9, seq: 900 });
  follow.subscribed({ epoch: 9, seq: 900 });
  expect(follow.gap(gap(9, 901, null, "unknown_position"))).toBe(true);
  expect(follow.shown(shown(2, 3))).toBe(true);
  expect(positions(given)).toEqual([[2, 3]]);
});

/** A gateway that keeps to the table, over connections that end, seen from a client. */
type Step =
  | { kind: "tick" | "end" | "again" }
  | { kind: "skip" | "lost"; count: number }
  | { kind: "forget" | "epoch"; count: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ kind: "tick" as const }) },
  fc.record({ kind: fc.constantFrom("skip" as const, "lost" as const), count: fc.integer({ min: 1, max: 20 }) }),
  fc.record({ kind: fc.constantFrom("forget" as const, "epoch" as const), count: fc.integer({ min: 1, max: 20 }) }),
  fc.constant({ kind: "end" as const }),
);

test("any legal history is accounted for to the last tick, without a violation, over any number of connections", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { follow, given } = followed();
      let epoch = 1;
      let seq = 3;
      const sums = { delivered: 1, conflated: 0, missing: 0 };
      expect(follow.subscribed(null)[0]).toBe(true);
      expect(follow.shown(shown(epoch, seq))).toBe(true);
      for (const { kind, ...more } of steps) {
        const count = "count" in more ? more.count : 0;
        if (kind === "tick") {
          expect(follow.tick(tick(++seq))).toBe(true);
          sums.delivered++;
        } else if (kind === "skip") {
          seq += count + 1;
          expect(follow.tick(tick(seq, count))).toBe(true);
          sums.delivered++;
          sums.conflated += count;
        } else if (kind === "lost") {
          expect(follow.gap(gap(epoch, seq + 1, seq + count))).toBe(true);
          seq += count;
          sums.missing += count;
        } else if (kind === "forget") {
          expect(follow.gap(gap(epoch, seq + 1, null, "forgotten"))).toBe(true);
          seq += count;
          expect(follow.shown(shown(epoch, seq))).toBe(true);
          sums.delivered++;
          sums.missing += count - 1;
        } else if (kind === "epoch") {
          epoch += count;
          seq = 0;
          expect(follow.epoch(epoch)).toBe(true);
        } else {
          follow.disconnect();
          expect(follow.resume).toEqual({ epoch, seq });
          expect(follow.subscribed({ epoch, seq })).toEqual([true, null]);
        }
      }
      expect(follow.account).toEqual({ ...tally(), ...sums });
      expect(given.length).toBe(sums.delivered);
    }),
  );
});

const wild = fc.oneof(
  fc.record({
    op: fc.constant("tick"),
    seq: fc.integer({ min: 1, max: 30 }),
    skipped: fc.integer({ min: -2, max: 9 }),
  }),
  fc.record({ op: fc.constant("shown"), epoch: fc.integer({ min: 1, max: 3 }), seq: fc.integer({ min: 1, max: 30 }) }),
  fc.record({
    op: fc.constant("gap"),
    epoch: fc.integer({ min: 1, max: 3 }),
    from: fc.integer({ min: 1, max: 30 }),
    to: fc.option(fc.integer({ min: 1, max: 30 })),
  }),
  fc.record({ op: fc.constant("epoch"), epoch: fc.integer({ min: 1, max: 3 }) }),
  fc.record({
    op: fc.constant("subscribed"),
    epoch: fc.integer({ min: 1, max: 3 }),
    seq: fc.integer({ min: 1, max: 30 }),
  }),
  fc.record({ op: fc.constant("end") }),
);

test("a count below zero counts as none, also where nothing came before", () => {
  const { follow, given } = followed();
  follow.subscribed(null);
  follow.gap(gap(1, 1, 1));
  expect(follow.tick(tick(1, -1))).toBe(false);
  expect(follow.account).toEqual({ ...tally(), delivered: 1 });
  expect(positions(given)).toEqual([[1, 1]]);
});

test("whatever a broken gateway says, no tick is handed out twice or out of order, and no count falls", () => {
  fc.assert(
    fc.property(fc.array(wild, { maxLength: 80 }), (frames) => {
      const { follow, given } = followed();
      follow.subscribed(null);
      let before = { ...follow.account };
      for (const frame of frames as unknown as Record<string, number>[]) {
        const { op, epoch = 1, seq = 1, skipped = 0, from = 1, to } = frame;
        if (String(op) === "tick") follow.tick(tick(seq, skipped));
        if (String(op) === "shown") follow.shown(shown(epoch, seq));
        if (String(op) === "gap") follow.gap(gap(epoch, from, to ?? null));
        if (String(op) === "epoch") follow.epoch(epoch);
        if (String(op) === "subscribed") follow.subscribed({ epoch, seq });
        if (String(op) === "end") follow.disconnect();
        for (const [name, count] of Object.entries(follow.account)) {
          expect(count).toBeGreaterThanOrEqual(before[name as keyof typeof before]);
        }
        before = { ...follow.account };
      }
      for (const [index, later] of given.entries()) {
        const earlier = given[index - 1];
        if (earlier) expect(compare(later, earlier)).toBeGreaterThan(0);
      }
      expect(follow.account.delivered).toBe(given.length);
    }),
  );
});
