import {
  type ComponentInternalInstance,
  getCurrentInstance,
  getCurrentScope,
  type InjectionKey,
  inject,
  type MaybeRefOrGetter,
  onMounted,
  onScopeDispose,
  type Plugin,
  provide,
  type ShallowRef,
  shallowRef,
  toValue,
  watch,
} from "vue";
import type { Candle, ConnectOptions, Feed, Interval, Status, Tick } from "./index.js";
import { Board, type CandleOptions, NO_CANDLES, NO_TICKS, type TickOptions, type Topic } from "./views/board.js";
import type { Frames } from "./views/frames.js";
import { type Address, LateFeed, NOT_YET } from "./views/latefeed.js";

export type { CandleOptions, Frames, TickOptions };

/** Where the prices come from: a `feed`, which stays yours to close, or a `url` to connect to. */
export interface TickwireSource {
  feed?: Feed;
  url?: Address;
  /** For `connect`, with `url`. */
  options?: ConnectOptions;
  /** When to render; left out: the page's animation frames. */
  frames?: Frames;
}

/** Changes by itself, at most once a frame. */
export type Shown<T> = Readonly<ShallowRef<T>>;

const KEY: InjectionKey<Board> = Symbol("tickwire");
/** What each component provides, since `inject` shows a component only what those above it provide. */
const provided = new WeakMap<ComponentInternalInstance, Board>();

/**
 * Give a feed to this component and all below it; return the feed.  With `url` it connects when the first of them
 * looks at something, never on a server, and closes when this component is unmounted.
 */
export function provideTickwire(source: Feed | TickwireSource): Feed {
  const [board, late] = opened(source);
  if (late !== undefined) onScopeDispose(late.hold());
  const instance = getCurrentInstance();
  if (instance !== null) provided.set(instance, board);
  provide(KEY, board);
  return board.feed;
}

/** The same for a whole application: `app.use(createTickwire({ url }))`. */
export function createTickwire(source: Feed | TickwireSource): Plugin {
  const [board, late] = opened(source);
  return {
    install(app) {
      app.provide(KEY, board);
      if (late === undefined) return;
      const [leave, unmount] = [late.hold(), app.unmount];
      app.unmount = () => {
        unmount();
        leave();
      };
    },
  };
}

/** The feed that was provided. */
export function useFeed(): Feed {
  return useBoard().feed;
}

/** The newest tick of *symbol*, followed from mounting until the scope ends; undefined until there is one. */
export function useTick(
  symbol: MaybeRefOrGetter<string>,
  options: MaybeRefOrGetter<TickOptions> = {},
): Shown<Tick | undefined> {
  const board = useBoard();
  return useTopic<Tick | undefined>(
    () => `${toValue(symbol)} ${toValue(options).maxRate}`,
    () => board.tick(toValue(symbol), toValue(options)),
    undefined,
  );
}

/** The newest ticks of those of *symbols* that have one, in that order; the same map until one of them changed. */
export function useTicks(
  symbols: MaybeRefOrGetter<readonly string[]>,
  options: MaybeRefOrGetter<TickOptions> = {},
): Shown<ReadonlyMap<string, Tick>> {
  const board = useBoard();
  return useTopic(
    () => `${toValue(symbols).join(" ")} ${toValue(options).maxRate}`,
    () => board.ticks(toValue(symbols), toValue(options)),
    NO_TICKS,
  );
}

/** The candles of *symbol*, oldest first, the last one still growing. */
export function useCandles(
  symbol: MaybeRefOrGetter<string>,
  interval: MaybeRefOrGetter<Interval>,
  options: MaybeRefOrGetter<CandleOptions> = {},
): Shown<readonly Candle[]> {
  const board = useBoard();
  return useTopic(
    () => `${toValue(symbol)} ${toValue(interval)} ${toValue(options).history}`,
    () => board.candles(toValue(symbol), toValue(interval), toValue(options)),
    NO_CANDLES,
  );
}

/** How the connection does. */
export function useStatus(): Shown<Status> {
  const board = useBoard();
  return useTopic(
    () => "",
    () => board.status(),
    NOT_YET,
  );
}

function opened(source: Feed | TickwireSource): readonly [Board, LateFeed | undefined] {
  if ("subscribe" in source) return [new Board(source), undefined];
  if (source.feed !== undefined) return [new Board(source.feed, source.frames), undefined];
  const late = new LateFeed(source.url, source.options);
  return [new Board(late, source.frames), late];
}

function useBoard(): Board {
  const instance = getCurrentInstance();
  const board = (instance && provided.get(instance)) ?? inject(KEY, undefined);
  if (board === undefined) {
    throw new Error("no feed is provided: call provideTickwire() in a component above, or app.use(createTickwire())");
  }
  return board;
}

/** Look at the topic that *make* makes, and at another one when *key* changes; *first*: before it is mounted. */
function useTopic<T>(key: () => string, make: () => Topic<T>, first: T): Shown<T> {
  const shown = shallowRef(first) as ShallowRef<T>;
  const follow = () => {
    watch(key, (_now, _before, onCleanup) => onCleanup(look(make(), shown)), { immediate: true });
  };
  const scope = getCurrentScope();
  // A server mounts nothing, so it follows nothing; what is hydrated begins with what the server showed.
  if (getCurrentInstance() === null) follow();
  else onMounted(() => scope?.active && scope.run(follow));
  return shown;
}

function look<T>(topic: Topic<T>, shown: ShallowRef<T>): () => void {
  const show = () => {
    shown.value = topic.read();
  };
  const leave = topic.subscribe(show);
  show();
  return leave;
}
