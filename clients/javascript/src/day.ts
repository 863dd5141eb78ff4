/** A symbol's trading day: what the gateway said of it, carried on by the ticks that follow.  Pure. */
import { compare } from "./cursor.js";
import type { Day, Position, SessionState, Tick } from "./types.js";

/** What a `day` frame says of one symbol; null: not known. */
export interface Said {
  readonly session: SessionState;
  readonly previous_close: number | null;
  readonly epoch: number | null;
  readonly seq: number | null;
  readonly open: number | null;
  readonly high: number | null;
  readonly low: number | null;
  readonly volume: number | null;
}

/** The day as the gateway says it. */
export function begun(symbol: string, said: Said): Day {
  return { ...said, symbol, last: null, change: null, change_percent: null } as Day;
}

/**
 * The day with *tick* in it.  One that the gateway's figures hold already only gives the last price; one whose `volume`
 * is below the one before begins a new day.
 */
export function carried(day: Day, tick: Tick): Day {
  const { price, volume, size } = tick;
  let { previous_close: close, open, high, low } = day;
  const news = compare(tick, day as unknown as Position) > 0;
  if (news && day.volume !== null && volume < day.volume) {
    close = day.last ?? close;
    open = high = low = null;
  }
  if (news && size) {
    open ??= price;
    high = Math.max(high ?? price, price);
    low = Math.min(low ?? price, price);
  }
  const change = close === null ? null : price - close;
  const change_percent = close && change !== null ? (change / close) * 100 : null;
  return {
    ...day,
    previous_close: close,
    open,
    high,
    low,
    last: price,
    volume: news ? volume : day.volume,
    change,
    change_percent,
  };
}
