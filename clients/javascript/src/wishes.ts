/** All that is wanted: what to ask the gateway for, to ask again, or to end.  Pure. */
import type { Follow } from "./follow.js";
import type { Series } from "./series.js";
import type { Interval } from "./types.js";
import type { Wish } from "./wish.js";

/** Names that count as one command more (docs/protocol.md, "Limits"). */
export const NAMES = 25;
/** Milliseconds until a symbol that the gateway cannot serve now is asked for again. */
export const RETRY_MS = 5000;
/** Bytes of a command without its names: 160 with the longest numbers. */
const FRAME = 200;
/** Bytes that a name takes with its position, at most beside its own twice. */
const ENTRY = 64;
/** Reasons that only another token would change. */
const ENTITLEMENT = ["not_entitled", "delayed_unavailable"];

export class Wishes {
  /** By key. */
  readonly all = new Map<string, Wish>();
  /** Those that may have something to say, so that a tick costs one look-up and no more. */
  readonly #todo = new Set<Wish>();
  /** By id: what a command was about, by symbol, until it is answered. */
  readonly #open = new Map<number, Map<string, Wish>>();
  #id = 0;

  constructor(readonly rejected: (wish: Wish, reason: string) => void) {}

  /** The ticks of *symbol*. */
  follow(symbol: string): Follow | undefined {
    return this.all.get(symbol) as Follow | undefined;
  }

  /** The candles of *symbol*. */
  series(symbol: string, interval: Interval): Series | undefined {
    return this.all.get(`${symbol}/${interval}`) as Series | undefined;
  }

  /** Somebody listens, or somebody listens no longer. */
  changed(wish: Wish): void {
    this.all.set(wish.key, wish);
    this.#todo.add(wish);
  }

  /** The connection is gone: everything is to be asked for anew. */
  disconnected(): void {
    this.#open.clear();
    for (const wish of this.all.values()) {
      wish.disconnect();
      this.#todo.add(wish);
    }
  }

  // --------------------------------------------------------------------------------------------------- to be said

  /** When something is to be said; infinity: once something changes. */
  get due(): number {
    let due = Infinity;
    for (const wish of this.#todo) if (!wish.leaving) due = Math.min(due, wish.retryAt);
    return due;
  }

  /** The number of the next command. */
  number(): number {
    return ++this.#id;
  }

  /** Drop the newest symbols that one connection cannot hold. */
  limit(most: number): void {
    if (this.all.size <= most) return;
    const symbols = new Set<string>();
    for (const wish of this.all.values()) {
      if (wish.lines.size && symbols.add(wish.symbol).size > most && !wish.asked) {
        symbols.delete(wish.symbol);
        this.#reject(wish, "too_many_symbols");
      }
    }
  }

  /** The next command, and how many it counts as; undefined: there is none. */
  next(now: number, bytes: number): readonly [text: string, weight: number] | undefined {
    const ending: Wish[] = [];
    const due: Wish[] = [];
    for (const wish of this.#todo) {
      if (wish.leaving)
        this.#todo.delete(wish); // its answer brings it back
      else if (wish.lines.size) {
        if (wish.asked && wish.said === JSON.stringify(wish.terms)) this.#todo.delete(wish);
        else if (wish.retryAt <= now) due.push(wish);
      } else if (wish.asked) ending.push(wish);
      else this.#forget(wish);
    }
    return this.#command("unsubscribe", ending, "kind", bytes) ?? this.#command("subscribe", due, "terms", bytes);
  }

  /** One command about as many of *wishes* as go with the first and fit. */
  #command(op: string, wishes: Wish[], by: "kind" | "terms", bytes: number): readonly [string, number] | undefined {
    const [first] = wishes;
    if (!first) return undefined;
    const id = this.number();
    const said = JSON.stringify(first[by]);
    const chosen = new Map<string, Wish>();
    let resume: Record<string, unknown> | undefined;
    let room = bytes - FRAME;
    for (const wish of wishes) {
      if (JSON.stringify(wish[by]) !== said) continue;
      room -= wish.symbol.length * 2 + ENTRY;
      if (room < 0 && chosen.size) break;
      chosen.set(wish.symbol, wish);
      this.#todo.delete(wish);
      if (by === "kind") {
        wish.leaving = true;
        continue;
      }
      if (wish.resume && !wish.served) (resume ??= {})[wish.symbol] = wish.resume;
      wish.asked = id;
      wish.said = said;
    }
    this.#open.set(id, chosen);
    const text = JSON.stringify({ op, id, symbols: [...chosen.keys()], ...first[by], resume });
    return [text, 1 + Math.floor(chosen.size / NAMES)];
  }

  // --------------------------------------------------------------------------------------------------- what was said

  /** What the command *id* was about, if it was about *symbol*. */
  asked(id: number, symbol: string): Wish | undefined {
    return this.#open.get(id)?.get(symbol);
  }

  /** The command *id* is answered; return what it was about. */
  answered(id: number): Iterable<Wish> {
    const wishes = this.#open.get(id)?.values() ?? [];
    this.#open.delete(id);
    return wishes;
  }

  /** The gateway will not follow it, because of *reason*; *final*: nor later. */
  refused(wish: Wish, id: number, reason: string, now: number, final = false): void {
    if (wish.asked !== id || wish.leaving) return;
    if (reason === "cancelled") this.#putOff(wish, now);
    else if (!final && (reason === "feed_unavailable" || wish.known) && !ENTITLEMENT.includes(reason)) {
      this.#putOff(wish, now + RETRY_MS);
    } else this.#reject(wish, reason);
  }

  /** `unsubscribed`, as asked for: the position is kept for whom that was not meant for. */
  left(id: number, now: number): void {
    for (const wish of this.answered(id)) if (wish.leaving) this.#putOff(wish, now);
  }

  /** `unsubscribed` by the gateway's own doing: a directory may change back, a token's rights do not. */
  ended(wish: Wish, reason: string, now: number): void {
    if (wish.leaving) return;
    if (ENTITLEMENT.includes(reason)) this.#reject(wish, reason);
    else this.#putOff(wish, now + RETRY_MS);
  }

  #putOff(wish: Wish, until: number): void {
    wish.putOff(until);
    this.#todo.add(wish);
  }

  #reject(wish: Wish, reason: string): void {
    this.#forget(wish);
    this.rejected(wish, reason);
  }

  #forget(wish: Wish): void {
    this.all.delete(wish.key);
    this.#todo.delete(wish);
  }
}
