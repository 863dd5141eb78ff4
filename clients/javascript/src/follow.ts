/**
 * One symbol of a feed: its cursor, what was delivered, and the account of the rest.  Pure.
 *
 * A follow outlives connections: what it knows decides where the next connection resumes, and no tick is handed out
 * twice even where the gateway must begin anew with a snapshot.
 */
import { compare, Cursor } from "./cursor.js";
import type { Diary } from "./day.js";
import type { Account, Gap, Position, Session, Tick } from "./types.js";
import { Wish } from "./wish.js";

type Writable<T> = { -readonly [K in keyof T]: T[K] };
export type Tally = Writable<Account>;
export type RawTick = Writable<Tick>;

/** What is missing from `seq` of `epoch` on, until the next snapshot says where it ends. */
interface Hole extends Position {
  readonly unexplained: boolean;
}

export function tally(): Tally {
  return { delivered: 0, conflated: 0, missing: 0, unexplained: 0, unknown: 0, repeated: 0 };
}

export class Follow extends Wish {
  readonly cursor = new Cursor();
  readonly account = tally();
  /** The newest tick that was handed out. */
  last: Tick | undefined;
  diary: Diary | undefined;
  session: Session | undefined;
  #hole: Hole | null = null;
  /** Nothing at or below it is handed out; null: the cursor alone sees to that. */
  #high: Position | null = null;
  #start: Position | null;

  constructor(
    symbol: string,
    readonly totals: Tally,
    readonly hand: (follow: Follow, tick: Tick) => void,
    readonly snapshot = true,
    start?: Position,
  ) {
    super(symbol);
    this.#start = start ?? null;
  }

  get key(): string {
    return this.symbol;
  }

  get kind(): object {
    return {};
  }

  get terms(): object {
    return { ...(this.rate ? { max_rate: this.rate } : {}), ...(this.snapshot ? {} : { snapshot: false }) };
  }

  /** The fastest rate that anybody wants; undefined: every tick. */
  get rate(): number | undefined {
    let fastest: number | undefined = 0;
    for (const { rate } of this.lines) fastest = rate && fastest !== undefined ? Math.max(fastest, rate) : undefined;
    return fastest || undefined;
  }

  get resume(): Position | null {
    return this.cursor.position ?? this.#start;
  }

  // ------------------------------------------------------------------------------------------- the wire's answers

  /** `subscribed`: whether that was legal, and the gap where it is not what was asked for. */
  subscribed(position: Position | null): readonly [legal: boolean, gap: Gap | null] {
    const before = this.resume;
    const again = this.cursor.subscribed;
    const legal = this.cursor.subscribe(position);
    this.#start = null;
    if (!before || compare(before, position) === 0) return [legal, null];
    this.#open(this.#mark(before), again);
    if (position) this.#close(position, 0);
    const reason = again ? "violation" : "not_resumed";
    return [legal, { symbol: this.symbol, epoch: before.epoch, from: before.seq + 1, to: null, reason, final: false }];
  }

  override disconnect(): void {
    super.disconnect();
    this.cursor.disconnect();
  }

  override putOff(until: number): void {
    super.putOff(until);
    if (this.cursor.subscribed) {
      this.#start = this.cursor.position;
      this.cursor.unsubscribe();
    }
  }

  // ----------------------------------------------------------------------------------------------------- its ticks

  /** A tick of `ticks`: hand it out unless it was already; return whether it was legal. */
  tick(tick: RawTick): boolean {
    const before = this.cursor.position;
    let skipped = tick.skipped ?? 0;
    const legal = this.cursor.tick(tick.seq, skipped);
    if (!before || !this.cursor.subscribed) return legal;
    tick.epoch = before.epoch;
    if (!legal) skipped = this.#amend(before, tick.seq, skipped);
    const left = this.#passes(tick, skipped);
    if (left < 0) return legal;
    if (left || tick.skipped) tick.skipped = left;
    this.#handOut(tick, left);
    return legal;
  }

  /** A tick of `snapshot`: the same. */
  shown(tick: RawTick): boolean {
    const before = this.cursor.position;
    const legal = this.cursor.snapshot({ epoch: tick.epoch, seq: tick.seq });
    if (!this.cursor.subscribed) return legal;
    if (before) this.#open(this.#mark(before), true);
    this.#close(tick, 1);
    if (this.#passes(tick, 0) < 0) return legal;
    tick.snapshot = true;
    this.#handOut(tick, 0);
    return legal;
  }

  /** `gap`: count what is missing; return whether it was legal. */
  gap({ epoch, from, to, reason }: Gap): boolean {
    const before = this.cursor.position;
    const legal = this.cursor.gap(epoch, from, to);
    if (!before || !this.cursor.subscribed) return legal;
    let known = this.#high && compare(this.#high, before) > 0 ? this.#high : before;
    if (to === null) {
      if (reason !== "unknown_position") this.#mark(before);
      else if (this.last) known = this.#high = at(this.last); // it was never heard of: only what was delivered counts
      this.#open(known, !legal);
    } else if (known.epoch === epoch) this.#miss(to - known.seq, !legal);
    if (!legal) this.#mark(before);
    return legal;
  }

  /** `epoch`: return whether it was legal. */
  epoch(epoch: number): boolean {
    const before = this.cursor.position;
    const legal = this.cursor.epoch(epoch);
    if (!legal && before) this.#mark(before);
    return legal;
  }

  // --------------------------------------------------------------------------------------------------------- within

  #handOut(tick: Tick, skipped: number): void {
    this.#count("delivered", 1);
    this.#count("conflated", skipped);
    this.last = tick;
    this.known = true;
    this.diary?.take(tick);
    this.hand(this, tick);
  }

  #count(what: keyof Account, more: number): void {
    this.account[what] += more;
    this.totals[what] += more;
  }

  #miss(more: number, unexplained: boolean): void {
    if (more > 0) this.#count(unexplained ? "unexplained" : "missing", more);
  }

  /** An illegal tick: account for what it does not; return what it really skips. */
  #amend(before: Position, seq: number, skipped: number): number {
    if (seq <= before.seq) {
      this.#mark(before); // which keeps it back
      return 0;
    }
    this.#miss(seq - before.seq - 1 - skipped, true);
    return Math.min(Math.max(0, skipped), seq - before.seq - 1);
  }

  #open(known: Position, unexplained: boolean): void {
    this.#hole = { epoch: known.epoch, seq: known.seq + 1, unexplained };
  }

  /** The next thing known is *position*, itself handed out if *shown* is 1: so the hole ends before it. */
  #close(position: Position, shown: number): void {
    const hole = this.#hole;
    this.#hole = null;
    if (hole?.epoch === position.epoch) this.#miss(position.seq - hole.seq + 1 - shown, hole.unexplained);
    else if (hole && hole.epoch < position.epoch) this.#count("unknown", 1);
  }

  /** What *position* skips of the ticks that were not handed out yet; below zero: it was handed out itself. */
  #passes(position: Position, skipped: number): number {
    const high = this.#high;
    if (!high) return skipped;
    if (compare(position, high) <= 0) {
      this.#count("repeated", 1);
      return -1;
    }
    this.#high = null;
    return position.epoch === high.epoch ? Math.min(skipped, position.seq - high.seq - 1) : skipped;
  }

  /** Hand out nothing at or below *before* again, nor what was delivered already; return that position. */
  #mark(before: Position): Position {
    for (const known of [before, this.last]) {
      if (known && compare(known, this.#high) > 0) this.#high = at(known);
    }
    return this.#high as Position;
  }
}

function at({ epoch, seq }: Position): Position {
  return { epoch, seq };
}
