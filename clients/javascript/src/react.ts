"use client";

import {
  createContext,
  createElement,
  type ReactNode,
  useContext,
  useEffect,
  useMemo,
  useSyncExternalStore,
} from "react";
import type { Candle, ConnectOptions, Feed, Interval, Status, Tick } from "./index.js";
import { Board, type CandleOptions, NO_CANDLES, NO_TICKS, type TickOptions, type Topic } from "./views/board.js";
import type { Frames } from "./views/frames.js";
import { LateFeed, NOT_YET } from "./views/latefeed.js";

export type { CandleOptions, Frames, TickOptions };

const Context = createContext<Board | undefined>(undefined);

/** What `TickwireProvider` is given: a `feed`, which stays yours to close, or a `url` to connect to. */
export interface TickwireProviderProps {
  children?: ReactNode;
  feed?: Feed;
  url?: string | URL | readonly string[];
  /** For `connect`, with `url`; those of the first render count until `url` changes. */
  options?: ConnectOptions;
  /** When to render; left out: the page's animation frames. */
  frames?: Frames;
}

/**
 * Gives a feed to all components below.  With `url` it connects when the first of them looks at something, never on a
 * server, and closes when it is unmounted.
 */
export function TickwireProvider({ feed, url, options, frames, children }: TickwireProviderProps): ReactNode {
  const address = String(url);
  // Another address is a reason to connect again; a new object of the same one, or of options, is made at each render.
  const late = useMemo(() => (feed === undefined ? new LateFeed(url, options) : undefined), [feed, address]);
  const board = useMemo(() => new Board(feed ?? (late as Feed), frames), [feed, late, frames]);
  useEffect(() => late?.hold(), [late]);
  return createElement(Context.Provider, { value: board }, children);
}

/** The feed of the nearest `TickwireProvider`. */
export function useFeed(): Feed {
  return useBoard().feed;
}

/** The newest tick of *symbol*, followed while the component is mounted; undefined until there is one. */
export function useTick(symbol: string, { maxRate }: TickOptions = {}): Tick | undefined {
  const board = useBoard();
  const topic = useMemo(() => board.tick(symbol, { maxRate }), [board, symbol, maxRate]);
  return useTopic(topic, undefined);
}

/** The newest ticks of those of *symbols* that have one, in that order; the same map until one of them changed. */
export function useTicks(symbols: readonly string[], { maxRate }: TickOptions = {}): ReadonlyMap<string, Tick> {
  const board = useBoard();
  const names = JSON.stringify(symbols); // since most callers make a new array at each render
  const topic = useMemo(() => board.ticks(JSON.parse(names), { maxRate }), [board, names, maxRate]);
  return useTopic(topic, NO_TICKS);
}

/** The candles of *symbol*, oldest first, the last one still growing. */
export function useCandles(symbol: string, interval: Interval, { history }: CandleOptions = {}): readonly Candle[] {
  const board = useBoard();
  const topic = useMemo(() => board.candles(symbol, interval, { history }), [board, symbol, interval, history]);
  return useTopic(topic, NO_CANDLES);
}

/** How the connection does. */
export function useStatus(): Status {
  const board = useBoard();
  const topic = useMemo(() => board.status(), [board]);
  return useTopic(topic, NOT_YET);
}

function useTopic<T>(topic: Topic<T>, onServer: T): T {
  return useSyncExternalStore(topic.subscribe, topic.read, () => onServer);
}

function useBoard(): Board {
  const board = useContext(Context);
  if (board === undefined) throw new Error("there is no <TickwireProvider> above this component: put one around it");
  return board;
}
