import type { Candle } from "../index.js";

/** Candles kept of one chart; the oldest go first.  The gateway sends at most 500 to begin with. */
export const CANDLES_KEPT = 1_000;

/**
 * Return *kept* with *news* put in: by their start, or, where *reset* says so, in place of everything.
 * Both are in rising order of `start`, and so is what is returned; *kept* itself does not change.
 */
export function merge(kept: readonly Candle[], news: readonly Candle[], reset: boolean): readonly Candle[] {
  const merged = reset ? [] : [...kept];
  for (const candle of news) put(merged, candle);
  return merged.slice(-CANDLES_KEPT);
}

function put(candles: Candle[], candle: Candle): void {
  let index = candles.length;
  while (index > 0 && candles[index - 1]!.start >= candle.start) index -= 1;
  candles.splice(index, candles[index]?.start === candle.start ? 1 : 0, candle);
}
