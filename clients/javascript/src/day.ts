/** A symbol's trading day: what the gateway said of it, carried on by the ticks that follow.  Pure. */
import { compare } from "./cursor.js";
import type { Day, Position, SessionState, Tick } from "./types.js";

type Said = Partial<Day & Position>;

/** Keeps one symbol's day.  A tick whose `volume` is below the one before begins a new day. */
export class Diary {
  #day: Day;
  /** Up to where the gateway's figures count; null: every tick is news. */
  #at: Position | null;
  #stale = false;
  #last: number | null = null;
  #close: number | null;
  #open: number | null;
  #high: number;
  #low: number;
  #volume: number | null;
  session: SessionState;

  constructor(symbol: string, said: Said) {
    this.session = said.session ?? "open";
    this.#close = said.previous_close ?? null;
    this.#open = said.open ?? null;
    this.#high = said.high ?? Number.NEGATIVE_INFINITY;
    this.#low = said.low ?? Number.POSITIVE_INFINITY;
    this.#volume = said.volume ?? null;
    this.#at = said.epoch == null || said.seq == null ? null : { epoch: said.epoch, seq: said.seq };
    this.#day = { symbol } as Day;
    this.#stale = true;
  }

  /** Carry the day on by a tick; one that the gateway's figures hold already only gives the last price. */
  take(tick: Tick): void {
    const { price, volume } = tick;
    this.#stale = true;
    if (this.#at) {
      if (compare(tick, this.#at) <= 0) {
        this.#last = price;
        return;
      }
      this.#at = null;
    }
    if (this.#volume !== null && volume < this.#volume) {
      this.#close = this.#last ?? this.#close;
      this.#open = null;
      this.#high = Number.NEGATIVE_INFINITY;
      this.#low = Number.POSITIVE_INFINITY;
    }
    this.#last = price;
    this.#volume = volume;
    if (tick.size) {
      this.#open ??= price;
      this.#high = Math.max(this.#high, price);
      this.#low = Math.min(this.#low, price);
    }
  }

  /** The day as it stands; the same object until something changes. */
  get day(): Day {
    const session = this.session;
    if (this.#stale || this.#day.session !== session) {
      const close = this.#close;
      const change = this.#last === null || close === null ? null : this.#last - close;
      this.#day = {
        symbol: this.#day.symbol,
        session,
        previous_close: close,
        open: this.#open,
        high: finite(this.#high),
        low: finite(this.#low),
        last: this.#last,
        volume: this.#volume,
        change,
        change_percent: change === null || !close ? null : (change / close) * 100,
      };
      this.#stale = false;
    }
    return this.#day;
  }
}

function finite(price: number): number | null {
  return Number.isFinite(price) ? price : null;
}
