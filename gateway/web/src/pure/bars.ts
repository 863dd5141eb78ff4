/** Candles as the chart wants them: one bar for each start, in order. */
import type { Candle } from "tickwire-client";

/** Most bars kept; the oldest go. */
export const MOST_BARS = 2_000;

export interface Bar {
  /** Seconds since 1970 UTC. */
  readonly time: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
}

/** What a change means for who draws: draw all anew, or put these in. */
export interface Change {
  readonly all: boolean;
  readonly bars: readonly Bar[];
}

export class Bars {
  #bars: Bar[] = [];

  get all(): readonly Bar[] {
    return this.#bars;
  }

  get last(): Bar | undefined {
    return this.#bars.at(-1);
  }

  get size(): number {
    return this.#bars.length;
  }

  /** Put *candles* in by their start; *reset*: in place of everything. */
  take(candles: readonly Candle[], reset: boolean): Change {
    if (reset) this.#bars = [];
    const fresh = candles.map(bar).sort((one, other) => one.time - other.time);
    let late = reset;
    for (const each of fresh) late = this.#put(each) || late;
    if (this.#bars.length > MOST_BARS) {
      this.#bars.splice(0, this.#bars.length - MOST_BARS);
      late = true;
    }
    return late ? { all: true, bars: this.#bars } : { all: false, bars: fresh };
  }

  /** Put one in; return whether it changed the past. */
  #put(each: Bar): boolean {
    const last = this.last;
    if (last === undefined || each.time > last.time) this.#bars.push(each);
    else if (each.time === last.time) this.#bars[this.#bars.length - 1] = each;
    else {
      const at = this.#bars.findIndex((known) => known.time >= each.time);
      this.#bars.splice(at, this.#bars[at]?.time === each.time ? 1 : 0, each);
      return true;
    }
    return false;
  }
}

function bar({ start, open, high, low, close, volume }: Candle): Bar {
  return { time: Math.floor(start / 1e6), open, high, low, close, volume };
}
