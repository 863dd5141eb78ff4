/**
 * The ticks that wait for one listener.  Pure; times are monotonic milliseconds.
 *
 * Bounded: once `LIMIT` ticks wait, the newest tick of each symbol replaces the one before it, with `skipped`, until the
 * reader has taken everything.  So a reader that cannot keep up gets the newest prices and the number of those it did
 * not get.
 *
 * A listener slower than what the wire brings is paced the same way: the first tick of a symbol at once, then at most one
 * per interval, the last one before a pause always.
 */
import type { Tick } from "./types.js";

/** Ticks that may wait, some 2 MB. */
export const LIMIT = 8192;

export class Buffer {
  #ready: Tick[] = [];
  readonly #parked = new Map<string, Tick>();
  /** By symbol, when the next one may pass. */
  readonly #turns = new Map<string, number>();

  /** *interval*: of a paced listener; *conflating*: until everything is taken, only the newest of each symbol waits. */
  constructor(
    readonly interval: number,
    public conflating = false,
  ) {}

  /** Take a tick that came at *now*; *paced*: the wire brings more than this listener wants. */
  offer(tick: Tick, now: number, paced = false): void {
    const { symbol } = tick;
    const parked = this.#parked.get(symbol);
    if (this.#ready.length >= LIMIT) this.conflating = true;
    if (!parked && !this.conflating && (!paced || now >= (this.#turns.get(symbol) ?? 0))) {
      this.#pass(tick, now);
      return;
    }
    this.#parked.delete(symbol); // so that those that changed last come last
    this.#parked.set(symbol, parked ? { ...tick, skipped: (tick.skipped ?? 0) + (parked.skipped ?? 0) + 1 } : tick);
  }

  /** The next tick; undefined: none is due. */
  take(now: number): Tick | undefined {
    if (!this.#ready.length) this.#release(now);
    const tick = this.#ready.shift();
    if (this.empty && !tick) this.conflating = false;
    return tick;
  }

  /** Whether nothing waits. */
  get empty(): boolean {
    return !this.#ready.length && !this.#parked.size;
  }

  /** When the next tick that is held back may be taken, if not at *now* already; infinity: none is held back. */
  due(now: number): number {
    let due = Infinity;
    for (const symbol of this.#parked.keys()) {
      const turn = this.#turns.get(symbol) ?? 0;
      if (turn > now && turn < due) due = turn;
    }
    return due;
  }

  /** Nobody reads any more. */
  discard(): void {
    this.#ready = [];
    this.#parked.clear();
  }

  #release(now: number): void {
    for (const [symbol, tick] of this.#parked) {
      if ((this.#turns.get(symbol) ?? 0) > now) continue;
      this.#parked.delete(symbol);
      this.#pass(tick, now);
    }
  }

  #pass(tick: Tick, now: number): void {
    this.#ready.push(tick);
    if (this.interval) this.#turns.set(tick.symbol, now + this.interval);
  }
}
