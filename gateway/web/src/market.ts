/** What the page knows of the market, and the feed that tells it.  No document here. */
import {
  type Account,
  type Candle,
  connect,
  type Day,
  type Feed,
  type Frame,
  type Gap,
  type Interval,
  type Status,
  type Subscription,
  type Tick,
  type TickwireError,
} from "tickwire-client";
import { type Listing, Quote } from "./pure/quote";
import { refusal } from "./pure/words";

export interface MarketHooks {
  /** Something of a quote has changed. */
  readonly news: () => void;
  /** There are other quotes, or other names. */
  readonly others: () => void;
  readonly status: (status: Status) => void;
  readonly frame: (frame: Frame) => void;
  readonly gap: (gap: Gap) => void;
  /** A connection ended, with one of the protocol's close codes. */
  readonly closed: (code: number) => void;
  /** Something went wrong that is not of one symbol. */
  readonly error: (error: TickwireError) => void;
}

export class Market {
  readonly quotes = new Map<string, Quote>();
  readonly dirty = new Set<Quote>();
  #feed: Feed | null = null;
  #followed: Subscription[] = [];
  #rate: number | null = null;

  /** *only*: the symbols to follow; null: all of the directory. */
  constructor(
    private readonly url: string,
    private readonly only: readonly string[] | null,
    private readonly hooks: MarketHooks,
  ) {
    for (const symbol of only ?? []) this.quotes.set(symbol, new Quote(symbol));
  }

  get status(): Status | null {
    return this.#feed?.status ?? null;
  }

  get connected(): boolean {
    const state = this.#feed?.status.state;
    return state === "live" || state === "stale";
  }

  /** How many symbols are refused. */
  get refused(): number {
    return [...this.quotes.values()].filter((quote) => quote.refused !== null).length;
  }

  /** Connect, in place of the feed before. */
  open(token: () => string | Promise<string>): void {
    this.#feed?.close();
    this.#followed = [];
    for (const quote of this.quotes.values()) quote.refused = null;
    const feed = connect(this.url, { token, WebSocket: watched(this.hooks.closed) });
    this.#feed = feed;
    feed.on("frame", this.hooks.frame);
    feed.on("status", this.hooks.status);
    feed.on("error", (error) => this.#failed(error));
    feed.on("gap", (gap) => this.#missed(gap));
    feed.on("day", (day) => this.#date(day));
    feed.on("session", ({ symbol, state }) =>
      this.#tell(symbol, (quote) => {
        quote.session = state;
      }),
    );
    this.#follow([...this.quotes.keys()]);
  }

  /** Ask for *rate* updates per second and symbol; null: every tick. */
  ask(rate: number | null): void {
    if (rate === this.#rate) return;
    this.#rate = rate;
    const before = this.#followed.splice(0);
    // The new one first: the symbols stay followed, and only the rate changes.
    this.#follow([...this.quotes.keys()]);
    for (const followed of before) followed.close();
  }

  /** Take in a part of the directory, and follow what is new in it. */
  list(listings: readonly Listing[]): void {
    const fresh: string[] = [];
    for (const listing of listings) {
      let quote = this.quotes.get(listing.symbol);
      if (quote === undefined) {
        if (this.only !== null) continue;
        quote = new Quote(listing.symbol);
        this.quotes.set(listing.symbol, quote);
        fresh.push(listing.symbol);
      }
      quote.list(listing);
      this.dirty.add(quote);
    }
    this.#follow(fresh);
    this.hooks.others();
  }

  day(symbol: string): Day | undefined {
    return this.#feed?.day(symbol);
  }

  account(symbol: string): Account | undefined {
    return this.#feed?.account(symbol);
  }

  candles(
    symbol: string,
    interval: Interval,
    take: (candles: readonly Candle[], reset: boolean) => void,
    refused: (error: TickwireError) => void,
  ): () => void {
    const followed = this.#feed?.candles(symbol, interval, take, { onError: refused });
    followed?.ready.catch(() => undefined); // told by `refused`
    return () => followed?.close();
  }

  /** Put the price of now into each quote's trace.  *now*: ms since 1970. */
  sketch(now: number): void {
    for (const quote of this.quotes.values()) {
      if (quote.tick === null) continue;
      quote.trace.add(now, quote.tick.price);
      this.dirty.add(quote);
    }
    this.hooks.news();
  }

  #follow(symbols: readonly string[]): void {
    if (this.#feed === null || symbols.length === 0) return;
    const options = this.#rate === null ? {} : { maxRate: this.#rate };
    const followed = this.#feed.subscribe(symbols, (tick) => this.#take(tick), options);
    followed.ready.catch(() => undefined); // told by `error`
    this.#followed.push(followed);
  }

  #take(tick: Tick): void {
    const quote = this.quotes.get(tick.symbol);
    if (quote === undefined) return;
    quote.refused = null;
    quote.take(tick, performance.now());
    this.dirty.add(quote);
    this.hooks.news();
  }

  #date(day: Day): void {
    this.#tell(day.symbol, (quote) => {
      quote.day = day;
      quote.session = day.session;
    });
  }

  #missed(gap: Gap): void {
    const count = gap.to === null ? null : gap.to - gap.from + 1;
    this.#tell(gap.symbol, (quote) => {
      quote.missed = { count, reason: gap.reason.replaceAll("_", " "), at: Date.now() };
    });
    this.hooks.gap(gap);
  }

  #failed(error: TickwireError): void {
    const { symbol } = error;
    if (symbol !== undefined)
      this.#tell(symbol, (quote) => {
        quote.refused = refusal(error.code);
      });
    else this.hooks.error(error);
  }

  #tell(symbol: string, change: (quote: Quote) => void): void {
    const quote = this.quotes.get(symbol);
    if (quote === undefined) return;
    change(quote);
    this.dirty.add(quote);
    this.hooks.news();
  }
}

/** A WebSocket that tells how it ended: the client acts on the code, but says it only where it gives up. */
function watched(closed: (code: number) => void): typeof WebSocket {
  return class extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      this.addEventListener("close", ({ code }) => closed(code));
    }
  };
}
