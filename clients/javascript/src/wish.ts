/** Something that a gateway is asked for: the ticks of a symbol, or its candles.  Pure. */
import type { Interval, Position } from "./types.js";

/** Who is given what comes. */
export interface Listening {
  /** Ticks per second that it wants; undefined: all. */
  readonly rate?: number | undefined;
}

export abstract class Wish {
  /** Nobody: it is not wanted (any more). */
  readonly lines = new Set<Listening>();
  /** The id of the subscribe command that is in force; 0: not asked on this connection. */
  asked = 0;
  /** The terms that it was asked with. */
  said = "";
  /** An unsubscribe command is not answered yet. */
  leaving = false;
  /** When to ask for it. */
  retryAt = -Infinity;
  /** Whether the gateway has answered `subscribed` on this connection. */
  served = false;
  /** Whether anything ever came of it: then it is not misspelled. */
  known = false;

  /** *interval*: of candles; undefined: ticks. */
  constructor(
    readonly symbol: string,
    readonly interval?: Interval | undefined,
  ) {}

  /** Its name among all wishes. */
  get key(): string {
    return this.interval ? `${this.symbol}/${this.interval}` : this.symbol;
  }

  /** What tells its commands from those of other kinds. */
  get kind(): object {
    return { candles: this.interval };
  }

  /** What its subscribe command says beside the names. */
  abstract get terms(): object;
  /** Where to go on from. */
  resume: Position | null = null;

  /** Not served for now; ask again at *until*. */
  putOff(until: number): void {
    this.asked = 0;
    this.served = this.leaving = false;
    this.retryAt = until;
  }

  /** The connection is gone. */
  disconnect(): void {
    this.putOff(-Infinity);
  }
}
