/**
 * One symbol of a feed: its cursor, what was delivered, and the account of the rest.  Pure.
 *
 * A follow outlives connections: what it knows decides where the next connection resumes, and no tick is handed out
 * twice even where the gateway must begin anew with a snapshot.
 */
import { Cursor, compare } from "./cursor.js";
import { carried } from "./day.js";
import type { Account, Day, Gap, Position, Session, Tick } from "./types.js";
import { Wish } from "./wish.js";

type Writable<T> = { -readonly [K in keyof T]: T[K] };
export type Tally = Writable<Account>;
/** A tick of a frame, which is made one of ours. */
export type RawTick = Writable<Tick>;

export function tally(): Tally {
  return { delivered: 0, conflated: 0, missing: 0, unexplained: 0, unknown: 0, repeated: 0 };
}

export class Follow extends Wish {
  readonly cursor = new Cursor();
  readonly account = tally();
  /** The newest tick that was handed out. */
  last: Tick | undefined;
  day: Day | undefined;
  session: Session | undefined;
  /** Up to where every tick was handed out or counted: nothing at or below it is handed out. */
  #at: Position | null;
  /** Whether a gap without an end was told: what lies before the next snapshot is missing. */
  #gap = false;

  /** *totals*: of all symbols; *start*: the position to go on after. */
  constructor(
    symbol: string,
    readonly totals: Tally,
    readonly hand: (follow: Follow, tick: Tick) => void,
    readonly snapshot: boolean,
    start: Position | undefined,
  ) {
    super(symbol);
    this.#at = this.resume = start ?? null;
  }

  get terms(): object {
    return { max_rate: this.rate, snapshot: this.snapshot ? undefined : false };
  }

  /** The fastest rate that anybody wants; undefined: every tick. */
  get rate(): number | undefined {
    const rates = [...this.lines].map(({ rate = Infinity }) => rate);
    const fastest = Math.max(...rates);
    return Number.isFinite(fastest) ? fastest : undefined;
  }

  // ------------------------------------------------------------------------------------------- the wire's answers

  /** `subscribed`: whether that was legal, and the gap where it is not what was asked for. */
  subscribed(position: Position | null): readonly [legal: boolean, gap: Gap | null] {
    const { cursor, symbol } = this;
    const before = cursor.subscribed ? cursor.position : this.resume;
    const reason = cursor.subscribed ? "violation" : "not_resumed";
    const legal = cursor.subscribe(position);
    this.#at ??= position;
    if (!before || !compare(before, position)) return [legal, null];
    this.#gap = legal;
    if (position) this.#reach(position, 0, 0);
    return [legal, { symbol, epoch: before.epoch, from: before.seq + 1, to: null, reason, final: false }];
  }

  override putOff(until: number): void {
    super.putOff(until);
    if (this.cursor.subscribed) this.resume = this.cursor.position;
    this.cursor.disconnect();
  }

  // ----------------------------------------------------------------------------------------------------- its ticks

  /** A tick of `ticks`: hand it out unless it was already; return whether it was legal. */
  tick(tick: RawTick): boolean {
    const { position, subscribed } = this.cursor;
    const skipped = tick.skipped ?? 0;
    const legal = this.cursor.tick(tick.seq, skipped);
    if (!position || !subscribed) return legal;
    tick.epoch = position.epoch;
    const left = this.#reach(tick, skipped, 1);
    if (left < 0) return legal;
    if (skipped) tick.skipped = left;
    this.#handOut(tick);
    return legal;
  }

  /** A tick of `snapshot`: the same. */
  shown(tick: RawTick): boolean {
    const { subscribed } = this.cursor;
    const legal = this.cursor.snapshot({ epoch: tick.epoch, seq: tick.seq });
    const later = this.#at && this.#at.epoch < tick.epoch;
    if (!subscribed || this.#reach(tick, 0, 1) < 0) return legal;
    if (later) this.#count("unknown", 1);
    tick.snapshot = true;
    this.#handOut(tick);
    return legal;
  }

  /** `gap`: count what is missing; return whether it was legal. */
  gap({ epoch, from, to, reason }: Gap): boolean {
    const { position, subscribed } = this.cursor;
    const legal = this.cursor.gap(epoch, from, to);
    if (!position || !subscribed) return legal;
    if (to === null && reason === "unknown_position") this.#at = this.last ? at(this.last) : null; // it never was
    this.#gap = legal;
    if (to !== null) this.#reach({ epoch, seq: to }, 0, 0);
    return legal;
  }

  /** `epoch`: return whether it was legal. */
  epoch(epoch: number): boolean {
    const legal = this.cursor.epoch(epoch);
    if (compare({ epoch, seq: 0 }, this.#at) > 0) this.#at = { epoch, seq: 0 };
    return legal;
  }

  // --------------------------------------------------------------------------------------------------------- within

  #handOut(tick: Tick): void {
    this.#count("delivered", 1);
    this.last = tick;
    this.known = true;
    if (this.day) this.day = carried(this.day, tick);
    this.hand(this, tick);
  }

  #count(what: keyof Account, more: number): void {
    this.account[what] += more;
    this.totals[what] += more;
  }

  /**
   * The next thing known is *position*, itself a tick if *shown* is 1: count what lies before it, and return how much of
   * that was *skipped*; below zero: it was handed out, or counted, before.
   */
  #reach(position: Position, skipped: number, shown: number): number {
    const before = this.#at;
    const explained = this.#gap;
    let left = Math.max(0, skipped);
    if (before && compare(position, before) <= 0) {
      this.#count("repeated", shown);
      return -1;
    }
    this.#gap = false;
    this.#at = at(position);
    if (before?.epoch === position.epoch) {
      const hole = position.seq - before.seq - shown;
      left = Math.min(left, hole);
      this.#count(explained ? "missing" : "unexplained", hole - left);
    }
    this.#count("conflated", left);
    return left;
  }
}

function at({ epoch, seq }: Position): Position {
  return { epoch, seq };
}
