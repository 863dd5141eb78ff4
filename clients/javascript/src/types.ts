import type { TickwireError } from "./errors.js";

/** One run of a symbol's producer, and the number of the tick in it.  Ordered by epoch, then by seq; of one symbol only. */
export interface Position {
  readonly epoch: number;
  readonly seq: number;
}

/** One tick.  Do not change it: all listeners of the symbol are given the same object. */
export interface Tick {
  readonly symbol: string;
  /** The run of the symbol's producer, with `seq` the tick's position. */
  readonly epoch: number;
  /** Counts the symbol's ticks of one epoch from 1. */
  readonly seq: number;
  /** When it happened, microseconds since 1970 UTC, by the producer's clock. */
  readonly ts: number;
  /** Of the last trade. */
  readonly price: number;
  /** Of the trade; 0: only the quote changed. */
  readonly size: number;
  readonly bid: number;
  readonly ask: number;
  /** Round lots at the bid. */
  readonly bid_size: number;
  /** Round lots at the ask. */
  readonly ask_size: number;
  /** Of the day. */
  readonly volume: number;
  /** Ticks right before this one that this listener did not get, because somebody conflates. */
  readonly skipped?: number;
  /** The newest tick at the start, or after a gap without an end. */
  readonly snapshot?: boolean;
  /** When its frame came, milliseconds since 1970 by this machine's clock. */
  readonly received: number;
  /** Milliseconds from `ts` to `received` with the clocks' offset taken out; NaN while that is unknown. */
  readonly latency: number;
}

/** A candle.  `start` is its identity; the last one of a series may still grow. */
export interface Candle {
  /** Microseconds since 1970 UTC. */
  readonly start: number;
  readonly epoch: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
  readonly trades: number;
}

/** Length of a candle. */
export type Interval = "1s" | "1m";

/** State of a trading session. */
export type SessionState = "pre" | "open" | "closed" | "halted";

/** The trading session of a symbol. */
export interface Session {
  readonly symbol: string;
  readonly state: SessionState;
  readonly reason: string | null;
  /** Since when, microseconds since 1970 UTC; null: the gateway has not said. */
  readonly since: number | null;
}

/** A symbol's trading day, carried on by each tick since; null: not known (yet). */
export interface Day {
  readonly symbol: string;
  readonly session: SessionState;
  readonly previous_close: number | null;
  readonly open: number | null;
  readonly high: number | null;
  readonly low: number | null;
  readonly last: number | null;
  readonly volume: number | null;
  /** The last price less the previous close. */
  readonly change: number | null;
  /** The same in percent of the previous close. */
  readonly change_percent: number | null;
}

/** Ticks that are not coming on this connection. */
export interface Gap {
  readonly symbol: string;
  readonly epoch: number;
  readonly from: number;
  /** null: nor is anything else up to the next tick, which is a snapshot. */
  readonly to: number | null;
  /**
   * `lost`, `forgotten`, `unavailable`, `unknown_position` of the protocol; `not_resumed`: the gateway did not go on
   * from where it was asked to; `violation`: a frame broke the rules.
   */
  readonly reason: string;
  /** Whether no later question would bring them: `lost` and `forgotten`. */
  readonly final: boolean;
}

/** A frame that broke the protocol's table of cursors: a fault of the gateway, counted and got over. */
export interface Violation {
  readonly symbol: string;
  readonly op: string;
  readonly detail: string;
}

/** What became of each tick of a symbol since it is followed, over all connections. */
export interface Account {
  /** Ticks that came. */
  readonly delivered: number;
  /** Left out by the gateway, because this connection conflates. */
  readonly conflated: number;
  /** Named in gaps with an end, or counted at the next snapshot of the same epoch. */
  readonly missing: number;
  /** Left out without a word: a fault of the gateway.  Also in `violation` events. */
  readonly unexplained: number;
  /** Gaps over the end of an epoch: how many ticks they hold nobody can say. */
  readonly unknown: number;
  /** Came a second time; handed to nobody. */
  readonly repeated: number;
}

/** How the feed stands.  Immutable: each change makes a new one. */
export interface Status {
  /**
   * `connecting`: no connection yet.  `live`: connected, and the gateway hears its producers.  `stale`: connected, and
   * it does not: prices may be old.  `reconnecting`: the connection ended, the next one resumes.  `closed`: by its
   * owner.  `failed`: see `error`; nothing is retried.
   */
  readonly state: "connecting" | "live" | "stale" | "reconnecting" | "closed" | "failed";
  /** Of the connection that stands; null: none does. */
  readonly transport: "websocket" | "sse" | null;
  /** Connections that ended. */
  readonly reconnects: number;
  /** Gaps that were told. */
  readonly gaps: number;
  /** Ticks that are not coming, as far as they can be counted. */
  readonly missing: number;
  /** Ticks that the gateway left out, because this connection conflates. */
  readonly conflated: number;
  /** Ticks that came. */
  readonly ticks: number;
  /** Frames that broke the protocol's table of cursors. */
  readonly violations: number;
  /** Milliseconds from `ts` to here, of the last 1,024 ticks; null: none yet, or the clocks' offset is unknown. */
  readonly latency: { readonly p50: number; readonly p99: number } | null;
  /** Milliseconds that the gateway's clock is ahead of ours; null: not known yet. */
  readonly offset: number | null;
  /** Milliseconds of the round trip that the offset was measured with; half of it bounds its error. */
  readonly roundTrip: number | null;
  /** What is wrong now; null: nothing. */
  readonly error: TickwireError | null;
}

/** Raw text as it went over the wire, for recorders; a token is shown as `…`. */
export interface Frame {
  readonly direction: "in" | "out";
  readonly text: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** What `Feed.on` tells. */
export interface FeedEvents {
  /** At most 4 times a second, except that a change of `state` or `error` is told at once. */
  status: Status;
  gap: Gap;
  /** The symbol's producer began anew; the epoch before is complete. */
  epoch: { readonly symbol: string; readonly epoch: number };
  session: Session;
  /** The gateway said figures of a symbol's day. */
  day: Day;
  violation: Violation;
  error: TickwireError;
  frame: Frame;
}

/** Options of `connect`. */
export interface ConnectOptions {
  /** Text, or a function that is asked before each connection and when the gateway says that the token expires. */
  token?: string | (() => string | Promise<string>);
  /** `auto` (default): WebSocket, and server-sent events where no WebSocket ever opens. */
  transport?: "auto" | "websocket" | "sse";
  /** The `maxRate` of subscriptions that name none. */
  maxRate?: number;
  /** A WebSocket class, where the platform has none: Node 20 with the `ws` package. */
  WebSocket?: unknown;
  fetch?: typeof fetch;
  /** From 0 up to 1; for tests. */
  random?: () => number;
  /** Milliseconds since 1970; for tests. */
  now?: () => number;
}

/** Options of `Feed.subscribe`. */
export interface SubscribeOptions {
  /** At most so many ticks per second and symbol, 0.1 to 100; left out: every tick. */
  maxRate?: number;
  /** false: begin after the newest tick instead of with it. */
  snapshot?: boolean;
  /** Positions to go on after, such as those of an earlier run's ticks. */
  resume?: Record<string, Position>;
  /** Gaps of these symbols. */
  onGap?: (gap: Gap) => void;
  /** A symbol is not served (`error.symbol`), or the feed has failed. */
  onError?: (error: TickwireError) => void;
}

/**
 * What `Feed.subscribe` and `Feed.candles` return.  As an asynchronous iterable it yields the ticks; leaving the loop
 * closes it.  At most 8,192 ticks wait for a loop that is too slow; beyond that the newest of each symbol replaces the
 * one before it and `skipped` counts them.  (That of `candles` yields nothing and ends when it is closed.)
 */
export interface Subscription extends AsyncIterable<Tick> {
  readonly symbols: readonly string[];
  /** Fulfilled once every symbol is subscribed; rejected with the first one that is not served. */
  readonly ready: Promise<void>;
  close(): void;
}

/** A connection that comes back, and what is followed over it. */
export interface Feed {
  /**
   * Follow symbols.  Throws `bad_request` where no gateway would accept the arguments; everything later is told by
   * `onError`, `ready`, the iterator and the `error` event.
   */
  subscribe(
    symbols: string | readonly string[],
    listener?: (tick: Tick) => void,
    options?: SubscribeOptions,
  ): Subscription;
  /** Follow candles; `reset`: these replace all that came before.  Otherwise put each in by its `start`. */
  candles(
    symbol: string,
    interval: Interval,
    listener: (candles: readonly Candle[], reset: boolean) => void,
    options?: { history?: number; onError?: (error: TickwireError) => void },
  ): Subscription;
  /** The newest tick that came of a symbol that is followed. */
  last(symbol: string): Tick | undefined;
  day(symbol: string): Day | undefined;
  session(symbol: string): Session | undefined;
  readonly status: Status;
  /** Listen; returns the function that stops it. */
  on<E extends keyof FeedEvents>(event: E, listener: (value: FeedEvents[E]) => void): () => void;
  account(symbol: string): Account;
  /** End everything.  Iterators end, nothing is retried. */
  close(): void;
  [Symbol.dispose](): void;
}
