/** The candles of one symbol and interval.  Pure. */
import type { Candle } from "./types.js";
import { Wish } from "./wish.js";

/** Candles to begin with, where nobody says how many. */
export const HISTORY = 300;
/** Candles that are kept for those who listen later: as many as a gateway begins with at most. */
export const KEPT = 500;

export class Series extends Wish {
  /** By `start`, rising. */
  candles: readonly Candle[] = [];

  /** How many of the past are asked for. */
  history = 0;

  get terms(): object {
    return { candles: this.interval, history: this.history };
  }

  /** A `candles` frame: *reset*: these replace all; else each by its `start`. */
  take(candles: readonly Candle[], reset: boolean): void {
    this.known = true;
    const byStart = new Map([...(reset ? [] : this.candles), ...candles].map((candle) => [candle.start, candle]));
    this.candles = [...byStart.values()].sort((one, other) => one.start - other.start).slice(-KEPT);
  }
}
