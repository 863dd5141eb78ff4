/** The feed: subscriptions, and the connection that serves them.  Decides nothing about the protocol. */
import { rejection } from "./closing.js";
import { Conversation, type Told } from "./conversation.js";
import { TickwireError } from "./errors.js";
import { type Follow, tally } from "./follow.js";
import { Line, type Owner } from "./line.js";
import { type Keeper, Link } from "./link.js";
import { checkResume, numberOf, oneOf, symbolsOf } from "./request.js";
import { HISTORY, KEPT, type Series } from "./series.js";
import type {
  Account,
  Candle,
  ConnectOptions,
  Day,
  Feed,
  FeedEvents,
  Gap,
  Interval,
  Session,
  Status,
  SubscribeOptions,
  Subscription,
  Tick,
} from "./types.js";
import type { Wish } from "./wish.js";

/** Milliseconds between two changes of `status` that only count on. */
export const STATUS_MS = 250;
const NEVER = Infinity;

export class Client implements Feed, Told, Keeper, Owner {
  status: Status;
  readonly #conversation = new Conversation(this);
  readonly #lines = new Set<Line>();
  readonly #listeners = new Map<string, Set<(value: never) => void>>();
  readonly #link: Link;
  readonly #wall: () => number;
  #ended: TickwireError | undefined;
  #error: TickwireError | null = null;
  #reconnects = 0;
  /** Whether something has come since `status` was made. */
  #changed = false;
  #madeAt = 0;
  /** When the last frame came. */
  #at = 0;
  /** Lines that hold ticks back. */
  readonly #held = new Set<Line>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #armed = NEVER;
  #soon = false;
  readonly #over = new AbortController();
  /** What may mean that the network, or the page, is back. */
  readonly #hasten = () => {
    if (globalThis.document?.hidden) return;
    if (this.#link.hasten(this.now())) this.#conversation.probe();
    this.#turn();
  };

  constructor(
    urls: readonly string[],
    readonly options: ConnectOptions,
  ) {
    this.#wall = options.now ?? Date.now;
    this.#link = new Link(urls, options, this, this.#conversation);
    this.status = this.#made();
    const { signal } = this.#over;
    for (const sign of ["online", "offline"]) globalThis.addEventListener?.(sign, this.#hasten, { signal });
    globalThis.document?.addEventListener("visibilitychange", this.#hasten, { signal });
    void this.#link.begin();
    this.#turn();
  }

  // ---------------------------------------------------------------------------------------------------- for its owner

  subscribe(
    symbols: string | readonly string[],
    onTick?: (tick: Tick) => void,
    options: SubscribeOptions = {},
  ): Subscription {
    const { resume = {}, snapshot = true, onGap, onError } = options;
    const names = symbolsOf(symbols);
    const rate = numberOf("maxRate", options.maxRate ?? this.options.maxRate, 0.1, 100);
    checkResume(resume, names, (name) => this.#conversation.wishes.all.has(name));
    const line = new Line(names, { onTick, onGap, onError }, rate, this, !!options.resume);
    const wishes = names.map((name) => this.#conversation.follow(name, snapshot, resume[name]));
    this.#want(line, wishes);
    const known = wishes.flatMap(({ last }) => (snapshot && last ? [{ ...last, snapshot: true, skipped: 0 }] : []));
    queueMicrotask(() => known.forEach((tick) => void line.tick(tick, this.now(), false)));
    return line;
  }

  candles(
    symbol: string,
    interval: Interval,
    onCandles: (candles: readonly Candle[], reset: boolean) => void,
    options: { history?: number; onError?: (error: TickwireError) => void } = {},
  ): Subscription {
    const names = symbolsOf(symbol);
    const history = numberOf("history", options.history ?? HISTORY, 0, KEPT) as number;
    oneOf("interval", interval, "1s", "1m");
    const line = new Line(names, { onCandles, onError: options.onError }, undefined, this);
    const series = this.#conversation.series(symbol, interval, history);
    this.#want(line, [series]);
    const { candles, known } = series;
    if (known) queueMicrotask(() => line.candles(candles, true));
    return line;
  }

  last(symbol: string): Tick | undefined {
    return this.#conversation.wishes.follow(symbol)?.last;
  }

  day(symbol: string): Day | undefined {
    return this.#conversation.wishes.follow(symbol)?.day;
  }

  session(symbol: string): Session | undefined {
    return this.#conversation.wishes.follow(symbol)?.session;
  }

  account(symbol: string): Account {
    return { ...(this.#conversation.wishes.follow(symbol)?.account ?? tally()) };
  }

  on<E extends keyof FeedEvents>(event: E, listener: (value: FeedEvents[E]) => void): () => void {
    const own = (value: FeedEvents[E]) => listener(value); // so that one that listens twice is told twice
    const all = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, all.add(own));
    return () => void all.delete(own);
  }

  close(): void {
    this.#end(new TickwireError("closed", "the feed was closed"));
  }

  [Symbol.dispose](): void {
    this.close();
  }

  // ------------------------------------------------------------------------------------------------------- its lines

  #want(line: Line, wishes: readonly Wish[]): void {
    const ended = this.#ended;
    if (ended) {
      queueMicrotask(() => line.end(ended));
      return;
    }
    this.#lines.add(line);
    for (const wish of wishes) {
      wish.lines.add(line);
      line.wishes.add(wish);
      this.#conversation.wishes.changed(wish);
      if (wish.served) line.served(wish.symbol);
    }
    this.#later();
  }

  dropped(line: Line): void {
    this.#lines.delete(line);
    this.#held.delete(line);
    for (const wish of line.wishes) {
      wish.lines.delete(line);
      this.#conversation.wishes.changed(wish);
    }
    line.wishes.clear();
    this.#later();
  }

  /** Once for all that is said in one go. */
  #later(): void {
    if (this.#soon) return;
    this.#soon = true;
    queueMicrotask(() => {
      this.#soon = false;
      this.#turn();
    });
  }

  // --------------------------------------------------------------------------------------------- from the conversation

  tick(follow: Follow, tick: Tick): void {
    const now = this.#at;
    const { rate } = follow;
    for (const line of [...follow.lines] as Line[]) {
      if (line.tick(tick, now, line.rate !== undefined && line.rate !== rate) < NEVER) this.#held.add(line);
    }
  }

  updated(series: Series, candles: readonly Candle[], reset: boolean): void {
    for (const line of [...series.lines] as Line[]) line.candles(candles, reset);
  }

  event<E extends keyof FeedEvents>(name: E, value: FeedEvents[E], wish?: Wish): void {
    if (name === "gap")
      for (const line of [...(wish?.lines ?? [])] as Line[]) this.call(line.hooks.onGap, value as Gap);
    for (const listener of [...(this.#listeners.get(name) ?? [])]) this.call(listener, value as never);
  }

  served(wish: Wish): void {
    for (const line of wish.lines as Set<Line>) line.served(wish.symbol);
  }

  rejected(wish: Wish, reason: string): void {
    const error = rejection(wish.symbol, reason);
    for (const line of [...wish.lines] as Line[]) line.rejected(wish, error);
    this.event("error", error);
  }

  token(required: boolean): void {
    const { token, options } = this.#link;
    if (required && !token) throw new TickwireError("token_required", "the gateway asks for a token");
    if (required) this.#conversation.authorize(token as string);
    else if (typeof options.token === "function") void this.#renew();
  }

  async #renew(): Promise<void> {
    try {
      const token = await this.#link.ask();
      if (token) this.#conversation.authorize(token);
      this.#turn();
    } catch (error) {
      // The gateway will close with 4401, and the next connection asks again.
      this.event("error", new TickwireError("unreachable", `no token: ${(error as Error).message}`, false));
    }
  }

  // ------------------------------------------------------------------------------------------------- from the connection

  begins(): void {
    this.#conversation.connected();
    this.#later();
  }

  frame(text: string): void {
    this.#at = this.now();
    this.#record("in", text);
    this.#changed = true;
    this.#conversation.take(text, this.#at, this.#wall());
    this.#turn();
  }

  ended(error: TickwireError | null): void {
    this.#conversation.disconnected();
    const before = this.#error;
    this.#error = error;
    if (!error) this.#reconnects++;
    else if (!before) this.event("error", error);
    this.#turn();
  }

  failed(error: TickwireError): void {
    this.#conversation.disconnected();
    this.#end(error);
    this.event("error", error);
  }

  // ------------------------------------------------------------------------------------------------------------- time

  now(): number {
    return performance.now();
  }

  /** Say what is to be said, hand out what is due, and come back when there is more. */
  #turn(): void {
    const now = this.now();
    this.#link.turn(now);
    for (const text of this.#conversation.commands(now, this.#wall())) {
      this.#record("out", text);
      this.#link.send(text);
    }
    let due = Math.min(this.#conversation.due(now), this.#link.due, this.#show(now));
    for (const line of this.#held) {
      const next = line.turn(now);
      if (next === NEVER) this.#held.delete(line);
      due = Math.min(due, next);
    }
    if (this.#ended || due >= this.#armed) return;
    clearTimeout(this.#timer);
    this.#armed = due;
    this.#timer = setTimeout(() => {
      this.#armed = NEVER;
      this.#turn();
    }, due - now);
  }

  #end(error: TickwireError): void {
    if (this.#ended) return;
    this.#ended = error;
    clearTimeout(this.#timer);
    this.#over.abort();
    this.#link.close();
    this.#conversation.disconnected();
    for (const line of [...this.#lines]) line.end(error);
    this.#show(this.now());
  }

  // ------------------------------------------------------------------------------------------------------------ telling

  call<T>(listener: ((value: T) => void) | undefined, value: T): void {
    try {
      listener?.(value);
    } catch (cause) {
      const error = new TickwireError("listener", `a listener threw: ${cause}`, false, undefined, { cause });
      if (value instanceof TickwireError || !this.#listeners.get("error")?.size) console.error(error);
      else this.event("error", error);
    }
  }

  /** For recorders, if there is one. */
  #record(direction: "in" | "out", text: string): void {
    if (!this.#listeners.get("frame")?.size) return;
    const shown = direction === "out" ? text.replace(/^(\{"op":"auth".*"token":").*"/, '$1…"') : text;
    this.event("frame", { direction, text: shown, at: this.#wall() });
  }

  /** Make `status` anew, if it is time; return when it will be. */
  #show(now: number): number {
    if (this.#stands) this.#error = null;
    const { state, transport, error } = this.status;
    const same = state === this.#state && transport === this.#link.transport && error === this.#wrong;
    const due = this.#changed ? this.#madeAt + STATUS_MS : NEVER;
    if (same && now < due) return due;
    this.#changed = false;
    this.#madeAt = now;
    this.status = this.#made();
    this.event("status", this.status);
    return NEVER;
  }

  /** Whether a gateway serves us. */
  get #stands(): boolean {
    return this.#conversation.welcomed && this.#link.transport !== null;
  }

  /** What is wrong now. */
  get #wrong(): TickwireError | null {
    const error = this.#ended ?? this.#error;
    return error?.code === "closed" ? null : error;
  }

  get #state(): Status["state"] {
    if (this.#ended) return this.#ended.code === "closed" ? "closed" : "failed";
    if (this.#stands) return this.#conversation.live ? "live" : "stale";
    return this.#reconnects ? "reconnecting" : "connecting";
  }

  #made(): Status {
    const { totals, gaps, violations, latencies, clock } = this.#conversation;
    return {
      state: this.#state,
      transport: this.#link.transport,
      reconnects: this.#reconnects,
      gaps,
      missing: totals.missing + totals.unexplained,
      conflated: totals.conflated,
      ticks: totals.delivered,
      violations,
      latency: latencies.percentiles,
      offset: clock.offset ?? null,
      roundTrip: clock.roundTrip ?? null,
      error: this.#wrong,
    };
  }
}
