/**
 * What to say to a gateway next, and what its frames mean: one client over all its connections.  Pure.
 *
 *     conversation.wishes             what is followed
 *     conversation.connected()        a connection stands
 *     conversation.take(text, ...)    each frame; what it brings is told to the `Told`
 *     conversation.commands(now)      what to send now; `due` says when to ask again
 *     conversation.disconnected()     the connection is gone; the next one resumes
 *
 * *now* is monotonic milliseconds, *wall* milliseconds since 1970, both given by whoever calls.
 */
import { Allowance } from "./allowance.js";
import { Clock } from "./clock.js";
import { begun, carried } from "./day.js";
import { TickwireError } from "./errors.js";
import { Follow, type RawTick, tally } from "./follow.js";
import { Latencies } from "./latencies.js";
import { Series } from "./series.js";
import type { Candle, FeedEvents, Gap, Interval, Position, Session, Tick } from "./types.js";
import type { Wish } from "./wish.js";
import { Wishes } from "./wishes.js";

/** Milliseconds between two pings, once the clocks' offset is known. */
export const PING_MS = 30_000;
/** Pings at the start of a connection: one of them meets no full queue. */
export const FIRST_PINGS = 4;
/** Milliseconds between those. */
export const FIRST_PING_MS = 250;
const NEVER = Infinity;

/** Who is told what frames bring. */
export interface Told {
  tick(follow: Follow, tick: Tick): void;
  /** Candles came; *reset*: they replace all that came before. */
  updated(series: Series, candles: readonly Candle[], reset: boolean): void;
  /** An event of the feed, about *wish* if it is about a symbol. */
  event<E extends keyof FeedEvents>(name: E, value: FeedEvents[E], wish?: Wish): void;
  /** The gateway follows it now. */
  served(wish: Wish): void;
  /** The gateway will not, because of *reason*. */
  rejected(wish: Wish, reason: string): void;
  /** The token expires within 60 s; *required*: the gateway asks for one before anything else. */
  token(required: boolean): void;
}

// biome-ignore lint/suspicious/noExplicitAny: parsed JSON; what has another shape throws a TypeError, which is caught
type Frame = Record<string, any>;

export class Conversation {
  readonly wishes: Wishes;
  readonly clock = new Clock();
  readonly latencies = new Latencies();
  readonly totals = tally();
  gaps = 0;
  violations = 0;
  /** Whether a connection stands and was welcomed. */
  welcomed!: boolean;
  /** When the last `reconnect` wanted this client to be elsewhere. */
  reconnectAt!: number;
  /** Whether this connection has served anything. */
  fresh!: boolean;
  readonly #told: Told;
  /** By shard whether the gateway hears its producer; "": whether it heard any when it welcomed us. */
  readonly #feeds = new Map<string, boolean>();
  #allowance = new Allowance(1, 1, 0);
  #limits: Frame = {};
  #token: string | undefined;
  /** Whether the gateway serves nothing but `auth` and `ping`. */
  #locked!: boolean;
  /** The last ping that is not answered. */
  #ping = { id: 0, sent: 0 };
  #pinged!: number;
  #pingAt = 0;

  constructor(told: Told) {
    this.#told = told;
    this.wishes = new Wishes((wish, reason) => told.rejected(wish, reason));
    this.connected();
  }

  /** The ticks of *symbol*; of one that is not followed yet *snapshot* and *start* count. */
  follow(symbol: string, snapshot: boolean, start: Position | undefined): Follow {
    const told = this.#told;
    return (
      this.wishes.follow(symbol) ??
      new Follow(symbol, this.totals, (follow, tick) => told.tick(follow, tick), snapshot, start)
    );
  }

  /** The candles of *symbol*, at least *history* of the past. */
  series(symbol: string, interval: Interval, history: number): Series {
    const series = this.wishes.series(symbol, interval) ?? new Series(symbol, interval);
    series.history = Math.max(series.history, history);
    return series;
  }

  // --------------------------------------------------------------------------------------------- the connection

  /** A new connection stands; nothing is subscribed on it. */
  connected(): void {
    this.#feeds.clear();
    this.clock.forget();
    this.#token = undefined;
    this.welcomed = this.fresh = this.#locked = false;
    this.reconnectAt = this.#pinged = 0;
  }

  /** The connection is gone; positions stay, to resume from. */
  disconnected(): void {
    this.welcomed = false;
    this.wishes.disconnected();
  }

  /** Whether no shard of the feed is known to be stale. */
  get live(): boolean {
    return ![...this.#feeds.values()].includes(false);
  }

  // --------------------------------------------------------------------------------------------- what to say next

  /** Show *token* before any other command. */
  authorize(token: string): void {
    this.#token = token;
  }

  /** What to send now, in order. */
  commands(now: number, wall: number): string[] {
    const texts: string[] = [];
    if (!this.welcomed) return texts;
    this.wishes.limit(this.#limits.symbols);
    while (this.#allowance.ready(now)) {
      const [text, weight] = this.#next(now, wall);
      if (!text) break;
      texts.push(text);
      this.#allowance.spend(weight);
    }
    return texts;
  }

  /** When `commands` may have something again, where nothing happens before. */
  due(now: number): number {
    if (!this.welcomed) return NEVER;
    return Math.max(Math.min(this.#pingAt, this.#locked ? NEVER : this.wishes.due), this.#allowance.due(now));
  }

  /** Ask for a sign of life with the next commands. */
  probe(): void {
    this.#pingAt = 0;
  }

  #next(now: number, wall: number): readonly [text: string, weight: number] {
    if (this.#token !== undefined) {
      const token = this.#token;
      this.#token = undefined;
      return [JSON.stringify({ op: "auth", id: this.wishes.number(), token }), 1];
    }
    const wish = this.#locked ? undefined : this.wishes.next(now, this.#limits.message_bytes);
    if (wish) return wish;
    if (now < this.#pingAt) return ["", 0];
    this.#ping = { id: this.wishes.number(), sent: wall };
    this.#pingAt = now + (++this.#pinged < FIRST_PINGS ? FIRST_PING_MS : PING_MS);
    return [JSON.stringify({ op: "ping", id: this.#ping.id }), 1];
  }

  // ------------------------------------------------------------------------------------------- what a frame means

  /**
   * Take one frame; an op that is not known, of a later gateway, brings nothing.  Throws `protocol` where it is no frame
   * of the protocol.
   */
  take(text: string, now: number, wall: number): void {
    let frame: Frame;
    try {
      frame = JSON.parse(text);
      if (!this.welcomed && frame.op !== "welcome") throw new TypeError(`the first frame is ${frame.op}, not welcome`);
      this.#takers[frame.op]?.(frame, now, wall);
    } catch (error) {
      if (error instanceof TickwireError) throw error;
      throw new TickwireError("protocol", `no frame of tickwire.v1: ${(error as Error).message}`);
    }
  }

  readonly #takers: Record<string, (frame: Frame, now: number, wall: number) => void> = {
    ticks: (frame, _, wall) => this.#ticks(frame, wall),

    snapshot: (frame, _, wall) => this.#ticks(frame, wall),

    welcome: (frame, now) => {
      if (frame.protocol !== 1) throw new TypeError(`protocol ${frame.protocol}, but this client speaks 1`);
      this.#limits = { symbols: 1000, message_bytes: 65_536, ...frame.limits };
      const { commands_per_s = 50, command_burst = 100 } = this.#limits;
      this.#allowance = new Allowance(commands_per_s, command_burst, now);
      this.#feeds.set("", frame.feed === "live");
      this.#pingAt = now;
      this.welcomed = true;
      if (frame.auth === "required") {
        this.#locked = true;
        this.#told.token(true);
      }
    },

    subscribed: (frame, now) => {
      const { id, symbols, rejected, pending } = frame;
      for (const symbol in symbols) {
        const wish = this.wishes.asked(id, symbol);
        if (!wish) continue;
        if (wish instanceof Follow) this.#begun(wish, symbols[symbol]);
        wish.served = this.fresh = true;
        this.#told.served(wish);
      }
      for (const symbol in rejected) {
        const wish = this.wishes.asked(id, symbol);
        if (wish) this.wishes.refused(wish, id, rejected[symbol], now);
      }
      if (!pending) this.wishes.answered(id);
    },

    unsubscribed: (frame, now) => {
      const { id, symbols, reason, pending } = frame;
      if (id == null) {
        for (const wish of [...this.wishes.all.values()]) {
          if (symbols.includes(wish.symbol)) this.wishes.ended(wish, reason, now);
        }
      } else if (!pending) this.wishes.left(id, now);
    },

    gap: (frame) => {
      const { symbol, epoch, from, to, reason } = frame;
      const follow = this.wishes.follow(symbol);
      if (!follow) return;
      const gap = { symbol, epoch, from, to, reason, final: reason === "lost" || reason === "forgotten" };
      if (!follow.gap(gap)) this.#violated(follow, "gap", `from ${from} to ${to}`);
      this.#gap(follow, gap);
    },

    epoch: ({ symbol, epoch }) => {
      const follow = this.wishes.follow(symbol);
      if (!follow) return;
      if (!follow.epoch(epoch)) this.#violated(follow, "epoch", `${epoch}`);
      this.#told.event("epoch", { symbol, epoch }, follow);
    },

    session: ({ symbol, state, reason = null, since = null }) => this.#session({ symbol, state, reason, since }),

    day: (frame) => {
      for (const symbol in frame.data) {
        const said = frame.data[symbol];
        const follow = this.wishes.follow(symbol);
        if (!follow || !said) continue;
        const day = begun(symbol, said);
        follow.day = follow.last ? carried(day, follow.last) : day;
        if (follow.session?.state !== said.session) {
          this.#session({ symbol, state: said.session, reason: null, since: null });
        }
        this.#told.event("day", follow.day, follow);
      }
    },

    status: ({ feed, shard }) => {
      this.#feeds.delete("");
      this.#feeds.set(shard, feed === "live");
    },

    reconnect: (frame, now) => {
      this.reconnectAt = now + frame.in_ms;
    },

    authorized: (frame) => {
      Object.assign(this.#limits, frame.limits);
      if (frame.id == null) this.#told.token(false);
      else this.#locked = false;
    },

    pong: ({ id, server_time }, _, wall) => {
      if (id === this.#ping.id) this.clock.add(this.#ping.sent, server_time / 1000, wall);
    },

    candles: (frame) => {
      const series = this.wishes.series(frame.symbol, frame.interval);
      if (!series) return;
      series.take(frame.data, !!frame.reset);
      this.fresh = true;
      this.#told.updated(series, frame.data, !!frame.reset);
    },

    error: ({ id, code, message }, now) => {
      const about = id && code !== "bad_resume" ? [...this.wishes.answered(id)] : []; // after that one comes `subscribed`
      const asked = about.filter((wish) => wish.asked === id);
      for (const wish of asked) this.wishes.refused(wish, id, code, now, true);
      const kind = code === "token_refused" ? code : "bad_request";
      if (!asked.length) this.#told.event("error", new TickwireError(kind, `${code}: ${message}`, false));
    },
  };

  /** The ticks of `ticks` or `snapshot`, which names their epoch. */
  #ticks({ op, epoch, data }: Frame, wall: number): void {
    const { offset = NaN } = this.clock;
    const shown = op === "snapshot";
    for (const tick of data as RawTick[]) {
      const follow = this.wishes.follow(tick.symbol);
      if (!follow) continue;
      tick.received = wall;
      tick.latency = wall + offset - tick.ts / 1000;
      if (shown) tick.epoch = epoch;
      else this.latencies.add(tick.latency);
      if (!(shown ? follow.shown(tick) : follow.tick(tick))) this.#violated(follow, op, `seq ${tick.seq}`);
    }
    this.fresh = true;
  }

  #begun(follow: Follow, given: Partial<Position> | null): void {
    const { epoch, seq } = given ?? {};
    const [legal, gap] = follow.subscribed(epoch == null || seq == null ? null : { epoch, seq });
    if (gap) this.#gap(follow, gap);
    if (!legal) this.#violated(follow, "subscribed", "another position");
  }

  #gap(follow: Follow, gap: Gap): void {
    this.gaps++;
    this.#told.event("gap", gap, follow);
  }

  #session(session: Session): void {
    const follow = this.wishes.follow(session.symbol);
    if (!follow) return;
    follow.session = session;
    if (follow.day) follow.day = { ...follow.day, session: session.state };
    this.#told.event("session", session, follow);
  }

  #violated({ symbol }: Follow, op: string, detail: string): void {
    this.violations++;
    this.#told.event("violation", { symbol, op, detail });
  }
}
