/** What is known of one symbol, and what follows from it. */
import type { Day, SessionState, Tick } from "tickwire-client";
import { decimalsOf } from "./format";
import { Trace } from "./trace";

/** A line of `/v1/symbols`, as far as the page uses it. */
export interface Listing {
  readonly symbol: string;
  readonly name?: string;
  readonly decimals?: number;
  readonly previous_close?: number | null;
  readonly session?: { readonly state: SessionState } | null;
}

/** Ticks of a symbol that are not coming, as its row says it. */
export interface Missed {
  readonly count: number | null;
  readonly reason: string;
  readonly at: number;
}

export class Quote {
  name = "";
  /** For the search. */
  words: readonly string[] = [];
  decimals = 2;
  tick: Tick | null = null;
  day: Day | null = null;
  session: SessionState | null = null;
  /** Why it is not followed; null: it is, or nobody has said. */
  refused: string | null = null;
  missed: Missed | null = null;
  /** Which way the last price went, and when (ms of the frame clock). */
  moved: -1 | 0 | 1 = 0;
  movedAt = Number.NEGATIVE_INFINITY;
  readonly trace = new Trace();
  #close: number | null = null;
  #told = false;

  constructor(readonly symbol: string) {}

  /** Take the newest tick.  *now*: ms of the frame clock. */
  take(tick: Tick, now: number): void {
    const before = this.tick?.price;
    this.tick = tick;
    if (!this.#told) this.decimals = Math.max(this.decimals, decimalsOf(tick.price, tick.bid, tick.ask));
    if (before === undefined || before === tick.price) return;
    this.moved = tick.price > before ? 1 : -1;
    this.movedAt = now;
  }

  list(listing: Listing): void {
    this.name = listing.name ?? "";
    this.words = this.name
      .toUpperCase()
      .split(/[^A-Z0-9]+/)
      .filter(Boolean);
    if (listing.decimals !== undefined) {
      this.decimals = listing.decimals;
      this.#told = true;
    }
    this.#close = listing.previous_close ?? this.#close;
    this.session ??= listing.session?.state ?? null;
  }

  get previousClose(): number | null {
    return this.day?.previous_close ?? this.#close;
  }

  get price(): number | null {
    return this.tick?.price ?? null;
  }

  get change(): number | null {
    const close = this.previousClose;
    return this.tick === null || close === null ? null : this.tick.price - close;
  }

  get percent(): number | null {
    const close = this.previousClose;
    return this.tick === null || !close ? null : (100 * (this.tick.price - close)) / close;
  }

  get spread(): number | null {
    return this.tick === null ? null : this.tick.ask - this.tick.bid;
  }

  get volume(): number | null {
    return this.tick?.volume ?? null;
  }

  /** The day's high, *told* by the client: a conflating one may have skipped the trade that the newest price is of. */
  high(told: number | null | undefined): number | null {
    return told == null ? null : Math.max(told, this.price ?? told);
  }

  low(told: number | null | undefined): number | null {
    return told == null ? null : Math.min(told, this.price ?? told);
  }

  /** One or two words on how it stands: why there is no price, or the session. */
  get state(): string {
    return (this.refused ?? this.session ?? (this.tick === null ? "waiting" : "")).replaceAll("_", " ");
  }
}
