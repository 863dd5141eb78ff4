import type { Tick } from "tickwire-client";

/** A tick of AAPL, with *changes*. */
export function tick(changes: Partial<Tick> = {}): Tick {
  return {
    symbol: "AAPL",
    epoch: 1,
    seq: 1,
    ts: 0,
    price: 10.5,
    size: 5,
    bid: 10.4,
    ask: 10.6,
    bid_size: 1,
    ask_size: 2,
    volume: 7,
    received: 0,
    latency: 0,
    ...changes,
  };
}
