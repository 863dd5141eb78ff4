import { NOT_YET } from "../../src/views/latefeed.js";
import type {
  Account,
  Candle,
  Day,
  Feed,
  FeedEvents,
  Interval,
  Session,
  Status,
  SubscribeOptions,
  Subscription,
  Tick,
} from "../../src/index.js";

/** A tick of *symbol*. */
export function aTick(symbol: string, price: number, seq = 1): Tick {
  return {
    symbol,
    epoch: 1,
    seq,
    ts: 1_795_000_000_000_000,
    price,
    size: 1,
    bid: price - 0.01,
    ask: price + 0.01,
    bid_size: 1,
    ask_size: 1,
    volume: seq,
    received: 1_795_000_000_000,
    latency: 1,
  };
}

/** A candle that begins at *start* and ends at *close*. */
export function aCandle(start: number, close: number): Candle {
  return { start, epoch: 1, open: close, high: close, low: close, close, volume: 1, trades: 1 };
}

interface Followed {
  readonly symbols: readonly string[];
  readonly maxRate: number | undefined;
  readonly listener: ((tick: Tick) => void) | undefined;
}

interface Charted {
  readonly name: string;
  readonly listener: (candles: readonly Candle[], reset: boolean) => void;
}

/** A feed that says what a test has it say.  `fakefeed.test.ts` holds it to what the real one does. */
export class FakeFeed implements Feed {
  /** What was asked of it, in order: `+AAPL`, `-AAPL`, with `@5` for a rate. */
  readonly asked: string[] = [];
  status: Status = NOT_YET;
  readonly #followed = new Set<Followed>();
  readonly #charted = new Set<Charted>();
  readonly #last = new Map<string, Tick>();
  readonly #listeners = new Map<string, Set<(value: never) => void>>();
  #seq = 0;

  /** Say a tick of *symbol*; nobody hears it whose symbol is another one. */
  tick(symbol: string, price: number): Tick {
    const tick = aTick(symbol, price, ++this.#seq);
    const heard = [...this.#followed].filter(({ symbols }) => symbols.includes(symbol));
    if (heard.length > 0) this.#last.set(symbol, tick);
    for (const { listener } of heard) listener?.(tick);
    return tick;
  }

  /** Say candles. */
  chart(symbol: string, interval: Interval, candles: readonly Candle[], reset: boolean): void {
    for (const { name, listener } of this.#charted) if (name === `${symbol} ${interval}`) listener(candles, reset);
  }

  /** Say that the connection changed. */
  becomes(change: Partial<Status>): Status {
    this.status = { ...this.status, ...change };
    for (const listener of this.#listeners.get("status") ?? []) (listener as (value: Status) => void)(this.status);
    return this.status;
  }

  subscribe(
    symbols: string | readonly string[],
    listener?: (tick: Tick) => void,
    { maxRate }: SubscribeOptions = {},
  ): Subscription {
    const followed = { symbols: [symbols].flat(), listener, maxRate };
    this.#followed.add(followed);
    const known = followed.symbols.flatMap((symbol) => this.#last.get(symbol) ?? []);
    queueMicrotask(() => {
      for (const tick of known) if (this.#followed.has(followed)) listener?.({ ...tick, snapshot: true, skipped: 0 });
    });
    const name = `${followed.symbols}${maxRate === undefined ? "" : `@${maxRate}`}`;
    return this.#subscription(followed.symbols, name, () => {
      this.#followed.delete(followed);
      for (const symbol of followed.symbols) if (!this.#follows(symbol)) this.#last.delete(symbol);
    });
  }

  candles(symbol: string, interval: Interval, listener: Charted["listener"]): Subscription {
    const charted = { name: `${symbol} ${interval}`, listener };
    this.#charted.add(charted);
    return this.#subscription([symbol], charted.name, () => this.#charted.delete(charted));
  }

  last(symbol: string): Tick | undefined {
    return this.#last.get(symbol);
  }

  on<E extends keyof FeedEvents>(event: E, listener: (value: FeedEvents[E]) => void): () => void {
    const all = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, all.add(listener));
    return () => void all.delete(listener);
  }

  /** How many listen to *event*. */
  listening(event: keyof FeedEvents): number {
    return this.#listeners.get(event)?.size ?? 0;
  }

  day(): Day | undefined {
    return undefined;
  }

  session(): Session | undefined {
    return undefined;
  }

  account(): Account {
    return { delivered: 0, conflated: 0, missing: 0, unexplained: 0, unknown: 0, repeated: 0 };
  }

  close(): void {
    this.#followed.clear();
    this.becomes({ state: "closed" });
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #follows(symbol: string): boolean {
    return [...this.#followed].some(({ symbols }) => symbols.includes(symbol));
  }

  #subscription(symbols: readonly string[], name: string, close: () => void): Subscription {
    this.asked.push(`+${name}`);
    return {
      symbols,
      ready: Promise.resolve(),
      close: () => {
        this.asked.push(`-${name}`);
        close();
      },
      async *[Symbol.asyncIterator]() {},
    };
  }
}
