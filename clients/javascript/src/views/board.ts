import { Cell, type Open, type Same } from "./cell.js";
import { Exit } from "./exit.js";
import { type Frames, Paint, pageFrames } from "./frames.js";
import type { Candle, Feed, Interval, Status, Tick } from "../index.js";
import { Series } from "../series.js";

/** What a component may look at: `read` returns the same object until it changed, at most once a frame. */
export interface Topic<T> {
  readonly read: () => T;
  /** Tell *watcher* after each change until the function returned is called; what it shows is followed as long. */
  readonly subscribe: (watcher: () => void) => () => void;
}

/** How a symbol is followed. */
export interface TickOptions {
  /** At most so many ticks a second and symbol; left out: every tick, of which each frame shows the newest. */
  maxRate?: number | undefined;
}

/** How a chart begins. */
export interface CandleOptions {
  /** Candles to begin with, 0 to 500; left out: the gateway's 300. */
  history?: number | undefined;
}

/** No ticks; always the same object. */
export const NO_TICKS: ReadonlyMap<string, Tick> = new Map();

/** No candles; always the same object. */
export const NO_CANDLES: readonly Candle[] = Object.freeze([]);

/**
 * What the components of a page look at, out of one feed.  Each symbol is followed once however many look at it, and
 * each watcher is told at most once a frame.
 */
export class Board {
  readonly feed: Feed;
  readonly #paint: Paint;
  readonly #exit = new Exit();
  readonly #ticks = new Map<string, Cell<Tick | undefined>>();
  readonly #candles = new Map<string, Cell<readonly Candle[]>>();
  readonly #status = new Map<string, Cell<Status>>();

  constructor(feed: Feed, frames: Frames = pageFrames) {
    this.feed = feed;
    this.#paint = new Paint(frames);
  }

  /** The newest tick of *symbol*; undefined until there is one. */
  tick(symbol: string, { maxRate }: TickOptions = {}): Topic<Tick | undefined> {
    const options = maxRate === undefined ? {} : { maxRate };
    return this.#topic(
      this.#ticks,
      `${symbol} ${maxRate}`,
      () => this.feed.last(symbol),
      (put) => {
        const subscription = this.feed.subscribe(symbol, put, options);
        return () => subscription.close();
      },
      samePosition,
    );
  }

  /** The newest ticks of those of *symbols* that have one, in the order given; a new map when one of them changed. */
  ticks(symbols: readonly string[], options: TickOptions = {}): Topic<ReadonlyMap<string, Tick>> {
    const topics = new Map(symbols.map((symbol) => [symbol, this.tick(symbol, options)]));
    let shown = NO_TICKS;
    return {
      read: () => {
        const now = newest(topics);
        shown = same(shown, now) ? shown : now;
        return shown;
      },
      subscribe: (watcher) => {
        const leaving = [...topics.values()].map((topic) => topic.subscribe(watcher));
        return () => {
          for (const leave of leaving) leave();
        };
      },
    };
  }

  /** The candles of *symbol*, oldest first, the last one still growing; a new array when one of them changed. */
  candles(symbol: string, interval: Interval, { history }: CandleOptions = {}): Topic<readonly Candle[]> {
    const options = history === undefined ? {} : { history };
    return this.#topic(
      this.#candles,
      `${symbol} ${interval} ${history}`,
      () => NO_CANDLES,
      (put) => {
        const series = new Series(symbol, interval);
        const listener = (news: readonly Candle[], reset: boolean) => {
          series.take(news, reset);
          put(series.candles);
        };
        const subscription = this.feed.candles(symbol, interval, listener, options);
        return () => subscription.close();
      },
      Object.is,
    );
  }

  /** How the connection does. */
  status(): Topic<Status> {
    return this.#topic(
      this.#status,
      "",
      () => this.feed.status,
      (put) => this.feed.on("status", put),
      Object.is,
    );
  }

  /** What is looked at under *name* of *cells*; *peek*: what it is while nobody watches; *same*: no reason to render. */
  #topic<T>(cells: Map<string, Cell<T>>, name: string, peek: () => T, open: Open<T>, same: Same<T>): Topic<T> {
    return {
      read: () => {
        const cell = cells.get(name);
        return cell === undefined ? peek() : cell.read();
      },
      subscribe: (watcher) => {
        const cell = cells.get(name) ?? new Cell(peek(), open, same, this.#paint, this.#exit, () => cells.delete(name));
        cells.set(name, cell);
        return cell.watch(watcher);
      },
    };
  }
}

function newest(topics: ReadonlyMap<string, Topic<Tick | undefined>>): ReadonlyMap<string, Tick> {
  const found = new Map<string, Tick>();
  for (const [symbol, topic] of topics) {
    const tick = topic.read();
    if (tick !== undefined) found.set(symbol, tick);
  }
  return found;
}

function same(one: ReadonlyMap<string, Tick>, other: ReadonlyMap<string, Tick>): boolean {
  if (one.size !== other.size) return false;
  for (const [symbol, tick] of other) if (one.get(symbol) !== tick) return false;
  return true;
}

/** Whoever follows a symbol that is followed already is given a copy of its newest tick. */
function samePosition(one: Tick | undefined, other: Tick | undefined): boolean {
  return one?.epoch === other?.epoch && one?.seq === other?.seq;
}
