/**
 * Commands and frames of the native wire on one side, requests and events of `/v1/sse` on the other.  Pure.
 *
 * A stream has its symbols in its address, so another set of symbols needs another request, which goes on where the one
 * before stood.  The answers that the native wire would give are made here.
 */
import type { Ending } from "../closing.js";
import type { Position } from "../types.js";
import { eventId } from "./eventid.js";

/** Most symbols of one stream. */
export const SYMBOLS = 500;
/** Milliseconds between two looks at candles: they are polled. */
export const CANDLES_MS = 2000;
/** Candles that are asked for again: those of the last look may have grown. */
const TAIL = 5;

// biome-ignore lint/suspicious/noExplicitAny: parsed JSON
type Json = Record<string, any>;

interface Followed {
  rate: number | undefined;
  snapshot: boolean;
}

/** Candles that are polled. */
export interface Polled {
  readonly id: number;
  readonly symbol: string;
  readonly interval: string;
  readonly history: number;
  /** When it was answered last, milliseconds; undefined: never. */
  at?: number;
  /** Whether an answer is being waited for. */
  busy?: boolean;
}

export class Desk {
  /** By key: what is polled. */
  readonly polled = new Map<string, Polled>();
  readonly #followed = new Map<string, Followed>();
  readonly #positions = new Map<string, Position | null>();
  /** By id of a subscribe command: its symbols that are not answered. */
  readonly #pending = new Map<number, Set<string>>();
  /** The query of the stream that is open or being opened; "": none. */
  #open = "";

  /** What a gateway says first. */
  get welcome(): Json {
    return { op: "welcome", protocol: 1, feed: "live", auth: "none", limits: { symbols: SYMBOLS } };
  }

  // --------------------------------------------------------------------------------------------- what the client says

  /** Take a command; return the answers that no gateway is needed for. */
  command({ op, id, symbols, candles, history = 300, ...more }: Json): Json[] {
    if (op === "unsubscribe") {
      for (const symbol of symbols) {
        if (candles) this.polled.delete(`${symbol}/${candles}`);
        else this.#forget(symbol);
      }
      return [{ op: "unsubscribed", id, symbols, reason: null }];
    }
    if (op !== "subscribe") return [];
    if (candles) {
      for (const symbol of symbols) {
        this.polled.set(`${symbol}/${candles}`, { id, symbol, interval: candles, history });
      }
      return [];
    }
    this.#pending.set(id, new Set(symbols));
    for (const symbol of symbols) {
      if (!this.#followed.has(symbol)) this.#positions.set(symbol, more.resume?.[symbol] ?? null);
      this.#followed.set(symbol, { rate: more.max_rate, snapshot: more.snapshot !== false });
    }
    if (this.query === this.#open) return this.#accepted(symbols);
    return [];
  }

  #forget(symbol: string): void {
    this.#followed.delete(symbol);
    this.#positions.delete(symbol);
    for (const symbols of this.#pending.values()) symbols.delete(symbol);
  }

  /** Of the stream that is wanted now; "": none. */
  get query(): string {
    const symbols = [...this.#followed.keys()].sort();
    if (!symbols.length) return "";
    const all = [...this.#followed.values()];
    const rate = Math.max(...all.map((one) => one.rate ?? Infinity));
    const after = symbols.some((symbol) => !this.#positions.get(symbol) && !this.#followed.get(symbol)?.snapshot);
    return `symbols=${symbols.join()}${rate < Infinity ? `&max_rate=${rate}` : ""}${after ? "&snapshot=false" : ""}`;
  }

  /** Whether another stream is needed than the one that is open. */
  get changed(): boolean {
    // Once a symbol has a position it does not matter any more whether it was to begin with a snapshot.
    return this.query.replace("&snapshot=false", "") !== this.#open.replace("&snapshot=false", "");
  }

  /** The stream that is wanted is asked for; return its query and event id. */
  opening(): { query: string; id: string } {
    this.#open = this.query;
    return { query: this.#open, id: eventId([...this.#followed.keys()].sort(), this.#positions) };
  }

  // ------------------------------------------------------------------------------------------------ what the stream says

  /** Take an event; return the frames that it is, or how it ends the stream. */
  event(event: string, data: string): Json[] | Ending {
    const said = JSON.parse(data);
    if (event === "ticks") {
      for (const { symbol, seq } of said) this.#move(symbol, { epoch: this.#positions.get(symbol)?.epoch, seq });
      return [{ op: "ticks", data: said }];
    }
    if (event === "subscribed") return this.#answered(said);
    if (event === "error") {
      if (said.code === "token_expired") return { code: 4401, reason: said.message };
      if (said.code === "token_refused") return { code: 4501, reason: said.message };
      return said.symbol ? [] : [said];
    }
    if (event === "snapshot") for (const { symbol, seq } of said.data) this.#move(symbol, { epoch: said.epoch, seq });
    if (event === "gap") this.#move(said.symbol, said.to === null ? null : { epoch: said.epoch, seq: said.to });
    if (event === "epoch") this.#move(said.symbol, { epoch: said.epoch, seq: 0 });
    if (event === "unsubscribed") for (const symbol of said.symbols) this.#forget(symbol);
    return [said];
  }

  #move(symbol: string, position: Json | null): void {
    if (this.#followed.has(symbol)) this.#positions.set(symbol, position as Position | null);
  }

  /** `subscribed` of the stream: answers to those who asked; who was followed before must stand where it stood. */
  #answered({ symbols, rejected }: Json): Json[] | Ending {
    const asked = new Set([...this.#pending.values()].flatMap((names) => [...names]));
    for (const symbol in symbols) {
      const given = symbols[symbol];
      const position = given.epoch === null ? null : { epoch: given.epoch, seq: given.seq };
      if (!asked.has(symbol) && position?.seq !== this.#positions.get(symbol)?.seq) {
        return { code: 1006, reason: "the gateway did not take up the positions" };
      }
      this.#move(symbol, position);
    }
    return [...this.#refused(rejected ?? {}), ...this.#accepted(Object.keys(symbols))];
  }

  /** `subscribed` for each command that asked for any of *symbols*. */
  #accepted(symbols: readonly string[]): Json[] {
    return this.#answers(symbols, (names) => ({
      symbols: Object.fromEntries(names.map((name) => [name, this.#positions.get(name) ?? { epoch: null, seq: null }])),
    }));
  }

  /** The same for those that are rejected; what the feed cannot give yet the gateway asks for again by itself. */
  #refused(rejected: Record<string, string>): Json[] {
    const final = Object.keys(rejected).filter((name) => rejected[name] !== "feed_unavailable");
    const answers = this.#answers(final, (names) => ({
      symbols: {},
      rejected: Object.fromEntries(names.map((name) => [name, rejected[name]])),
    }));
    for (const name of final) this.#forget(name);
    return answers;
  }

  #answers(symbols: readonly string[], answer: (names: string[]) => Json): Json[] {
    const answers: Json[] = [];
    for (const [id, names] of this.#pending) {
      const ours = symbols.filter((symbol) => names.delete(symbol));
      if (ours.length) answers.push({ op: "subscribed", id, pending: names.size, ...answer(ours) });
      if (!names.size) this.#pending.delete(id);
    }
    return answers;
  }

  // ------------------------------------------------------------------------------------------------- what HTTP says

  /**
   * A status in place of a stream: the frames that it is, or how it ends the connection.  *problem*: its body, if it is
   * a gateway's; *after*: seconds of `Retry-After`; *only*: there is no other transport to try.
   */
  refused(status: number, problem: Json | undefined, after: number, only: boolean): Json[] | Ending {
    const code = String(problem?.type).split("#")[1] ?? "";
    const reason = `HTTP ${status}${problem ? `: ${problem.detail}` : ""}`;
    this.#open = "";
    if (["unknown_symbol", "not_entitled", "delayed_unavailable"].includes(code)) {
      const names: string[] = problem?.symbols?.length ? problem.symbols : [...this.#followed.keys()];
      return this.#refused(Object.fromEntries(names.map((name) => [name, code])));
    }
    if (code === "too_many_symbols") {
      const [id, names] = [...this.#pending].at(-1) ?? [];
      for (const name of names ?? []) this.#forget(name);
      if (id) this.#pending.delete(id);
      if (id) return [{ op: "error", id, code, message: problem?.detail }];
    }
    if (code === "token_expired") return { code: 4401, reason };
    if (status === 401) return { code: 4501, reason };
    const later = status > 499 || status === 408 || status === 429;
    if (later || (!problem && !only)) return { code: 1013, reason, after: after * 1000 };
    return { code: status === 403 ? 4503 : 1002, reason };
  }

  // -------------------------------------------------------------------------------------------------------- candles

  /** The query for what is *polled*: all at first and after a pause, else the last ones. */
  candlesQuery({ interval, history, at }: Polled, now: number): string {
    return `interval=${interval}&limit=${this.#whole(at, now) ? Math.max(history, 1) : TAIL}`;
  }

  #whole(at: number | undefined, now: number): boolean {
    return at === undefined || now - at > 1.5 * CANDLES_MS;
  }

  /** Its answer: the frames that it is. */
  candles(polled: Polled, status: number, body: Json | undefined, now: number): Json[] {
    const { id, symbol, interval, at } = polled;
    if (status > 399 && status < 500 && status !== 408 && status !== 429) {
      this.polled.delete(`${symbol}/${interval}`);
      const reason = body ? (String(body.type).split("#")[1] ?? "bad_request") : "feed_unavailable"; // no such resource
      return [{ op: "subscribed", id, symbols: {}, rejected: { [symbol]: reason }, pending: 0 }];
    }
    if (status !== 200 || !body) return [];
    polled.at = now;
    const subscribed = { op: "subscribed", id, candles: interval, symbols: { [symbol]: {} }, pending: 0 };
    const frame = { op: "candles", symbol, interval, reset: this.#whole(at, now), data: body.candles };
    return at === undefined ? [subscribed, frame] : [frame];
  }
}
