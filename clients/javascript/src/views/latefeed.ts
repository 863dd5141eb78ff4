import { LINGER_MS } from "./exit.js";
import {
  type Account,
  type Candle,
  type ConnectOptions,
  connect,
  type Day,
  type Feed,
  type FeedEvents,
  type Interval,
  type Session,
  type Status,
  type SubscribeOptions,
  type Subscription,
  type Tick,
  TickwireError,
} from "../index.js";

/** What `connect` is given. */
export type Address = string | URL | readonly string[];

/** The status before anything was asked for: of a server's page, and of a feed that nobody uses yet. */
export const NOT_YET: Status = Object.freeze({
  state: "connecting",
  transport: null,
  reconnects: 0,
  gaps: 0,
  missing: 0,
  conflated: 0,
  ticks: 0,
  violations: 0,
  latency: null,
  offset: null,
  roundTrip: null,
  error: null,
});

/** The account of a symbol that nobody followed. */
const NOTHING: Account = Object.freeze({
  delivered: 0,
  conflated: 0,
  missing: 0,
  unexplained: 0,
  unknown: 0,
  repeated: 0,
});

/**
 * A feed that connects when something is first asked of it, and anew after `close`.  To make one does nothing, so a
 * server may do it for every page, and a framework may throw it away.
 */
export class LateFeed implements Feed {
  readonly #connect: () => Feed;
  #feed: Feed | undefined;
  #holders = 0;
  #leaving: ReturnType<typeof setTimeout> | undefined;

  /** Throws where there is no *url*; whether it is one is found out by `connect`. */
  constructor(url: Address | undefined, options?: ConnectOptions) {
    if (url === undefined) throw new TickwireError("bad_url", "give either a feed, or the url of a gateway");
    this.#connect = () => connect(url, options);
  }

  /** Keep it open; `LINGER_MS` after the last holder called the function returned, it is closed. */
  hold(): () => void {
    clearTimeout(this.#leaving);
    this.#holders += 1;
    return () => {
      this.#holders -= 1;
      if (this.#holders === 0) this.#leaving = setTimeout(() => this.close(), LINGER_MS);
    };
  }

  subscribe(
    symbols: string | readonly string[],
    listener?: (tick: Tick) => void,
    options?: SubscribeOptions,
  ): Subscription {
    return this.#open().subscribe(symbols, listener, options);
  }

  candles(
    symbol: string,
    interval: Interval,
    listener: (candles: readonly Candle[], reset: boolean) => void,
    options?: Parameters<Feed["candles"]>[3],
  ): Subscription {
    return this.#open().candles(symbol, interval, listener, options);
  }

  last(symbol: string): Tick | undefined {
    return this.#feed?.last(symbol);
  }

  day(symbol: string): Day | undefined {
    return this.#feed?.day(symbol);
  }

  session(symbol: string): Session | undefined {
    return this.#feed?.session(symbol);
  }

  get status(): Status {
    return this.#feed?.status ?? NOT_YET;
  }

  on<E extends keyof FeedEvents>(event: E, listener: (value: FeedEvents[E]) => void): () => void {
    return this.#open().on(event, listener);
  }

  account(symbol: string): Account {
    return this.#feed?.account(symbol) ?? NOTHING;
  }

  close(): void {
    this.#feed?.close();
    this.#feed = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #open(): Feed {
    this.#feed ??= this.#connect();
    return this.#feed;
  }
}
