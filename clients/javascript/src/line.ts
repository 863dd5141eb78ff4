/** One subscription within its feed: whom it tells, what waits, and who waits for it. */
import { Buffer } from "./buffer.js";
import type { TickwireError } from "./errors.js";
import type { Candle, Gap, Subscription, Tick } from "./types.js";
import type { Listening, Wish } from "./wish.js";

/** Whom a subscription tells. */
export interface Hooks {
  readonly onTick?: ((tick: Tick) => void) | undefined;
  readonly onCandles?: ((candles: readonly Candle[], reset: boolean) => void) | undefined;
  readonly onGap?: ((gap: Gap) => void) | undefined;
  readonly onError?: ((error: TickwireError) => void) | undefined;
}

/** What a subscription needs of its feed. */
export interface Owner {
  /** Call a listener; what it throws does not get further. */
  call<T>(listener: ((value: T) => void) | undefined, value: T): void;
  /** Monotonic milliseconds. */
  now(): number;
  dropped(line: Line): void;
}

const NEVER = Infinity;

export class Line implements Subscription, Listening {
  readonly ready: Promise<void>;
  /** What it follows. */
  readonly wishes = new Set<Wish>();
  readonly #unanswered: Set<string>;
  /** What a listener that wants fewer ticks than come waits for. */
  readonly #thinned: Buffer;
  /** What waits for the iterator. */
  #queue: Buffer | undefined;
  #over = false;
  #error: TickwireError | undefined;
  #wake: () => void = () => {};
  #begun!: () => void;
  #failed!: (error: TickwireError) => void;

  /** *whole*: every tick waits for the iterator from the beginning on, else the newest of each symbol. */
  constructor(
    readonly symbols: readonly string[],
    readonly hooks: Hooks,
    readonly rate: number | undefined,
    readonly owner: Owner,
    whole = false,
  ) {
    this.#unanswered = new Set(symbols);
    this.#thinned = this.#buffer();
    if (!hooks.onTick) this.#queue = this.#buffer(!whole);
    this.ready = new Promise((resolve, reject) => {
      this.#begun = resolve;
      this.#failed = reject;
    });
    this.ready.catch(() => {}); // who does not look at it is told by `onError`, not by the platform
  }

  #buffer(conflating = false): Buffer {
    return new Buffer(this.rate ? 1000 / this.rate : 0, conflating);
  }

  // ------------------------------------------------------------------------------------------------- from the feed

  /** A tick came at *now*; *paced*: the wire brings more than this listener wants.  Return when `turn` is due. */
  tick(tick: Tick, now: number, paced: boolean): number {
    const { onTick } = this.hooks;
    if (this.#over) return NEVER;
    this.#queue?.offer(tick, now, paced);
    if (onTick && !paced && this.#thinned.empty) this.owner.call(onTick, tick);
    else if (onTick) this.#thinned.offer(tick, now, paced);
    return this.turn(now);
  }

  /** Candles came. */
  candles(candles: readonly Candle[], reset: boolean): void {
    if (!this.#over) this.owner.call((all: readonly Candle[]) => this.hooks.onCandles?.(all, reset), candles);
  }

  /** Hand out what is due; return when there is more. */
  turn(now: number): number {
    const { onTick } = this.hooks;
    for (let tick = this.#thinned.take(now); tick; tick = this.#thinned.take(now)) {
      this.owner.call(onTick, tick);
    }
    this.#wake();
    return Math.min(this.#thinned.due(now), this.#queue?.due(now) ?? NEVER);
  }

  /** *symbol* is subscribed. */
  served(symbol: string): void {
    if (this.#unanswered.delete(symbol) && !this.#unanswered.size) this.#begun();
  }

  /** *wish* is not served; the others go on. */
  rejected(wish: Wish, error: TickwireError): void {
    this.wishes.delete(wish);
    if (!this.wishes.size) this.end(error);
    else this.#told(error);
  }

  /** Nothing follows: an iterator takes what waits, then *error* or the end. */
  end(error: TickwireError): void {
    if (this.#over) return;
    this.#over = true;
    if (error.code !== "closed") this.#error = error;
    this.#told(error);
    this.owner.dropped(this);
    this.#wake();
  }

  #told(error: TickwireError): void {
    this.#failed(error);
    if (error.code !== "closed") this.owner.call(this.hooks.onError, error);
  }

  // ------------------------------------------------------------------------------------------------ from its owner

  close(): void {
    this.#over = true;
    this.#thinned.discard();
    this.#queue?.discard();
    this.owner.dropped(this);
    this.#wake();
  }

  [Symbol.asyncIterator](): AsyncGenerator<Tick, void> {
    this.#queue ??= this.#buffer();
    return this.#ticks(this.#queue);
  }

  async *#ticks(queue: Buffer): AsyncGenerator<Tick, void> {
    try {
      for (;;) {
        const tick = queue.take(this.owner.now());
        if (tick) yield tick;
        else if (!this.#over) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        } else if (this.#error) throw this.#error;
        else return;
      }
    } finally {
      this.close();
    }
  }
}
