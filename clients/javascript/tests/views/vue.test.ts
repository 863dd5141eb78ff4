// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  type App,
  type Component,
  createApp,
  createSSRApp,
  defineComponent,
  effectScope,
  h,
  nextTick,
  onUpdated,
  reactive,
  ref,
} from "vue";
import { renderToString } from "vue/server-renderer";
import { LINGER_MS } from "../../src/views/exit.js";
import { createTickwire, provideTickwire, useCandles, useFeed, useStatus, useTick, useTicks } from "../../src/vue.js";
import { aCandle, FakeFeed } from "./fakefeed.js";
import { HandFrames } from "./handframes.js";
import { SilentSocket } from "./silentsocket.js";

let feed: FakeFeed;
let hand: HandFrames;
let place: HTMLElement;
let apps: App[];
/** How often each component was rendered. */
let renders: Record<string, number>;

beforeEach(() => {
  vi.useFakeTimers();
  feed = new FakeFeed();
  hand = new HandFrames();
  place = document.createElement("div");
  apps = [];
  renders = {};
  SilentSocket.made.splice(0);
});

afterEach(() => {
  for (const app of apps) app.unmount();
  vi.useRealTimers();
});

function rendered(name: string): void {
  renders[name] = (renders[name] ?? 0) + 1;
}

const Price = defineComponent({
  props: { symbol: { type: String, required: true }, maxRate: Number },
  setup(props) {
    const tick = useTick(
      () => props.symbol,
      () => ({ maxRate: props.maxRate }),
    );
    return () => {
      rendered(props.symbol);
      return h("b", `${props.symbol} ${tick.value?.price ?? "none"};`);
    };
  },
});

const Prices = defineComponent({
  props: { symbols: { type: Array<string>, required: true } },
  setup(props) {
    const ticks = useTicks(() => props.symbols);
    return () => {
      rendered("table");
      const shown = [...ticks.value.values()].map(({ symbol, price }) => `${symbol} ${price}`);
      return h("b", shown.join(", "));
    };
  },
});

/** Show *children*, with the feed. */
function show(children: () => unknown): void {
  const app = createApp(
    defineComponent(() => {
      provideTickwire({ feed, frames: hand.frames });
      return () => h("div", children() as never);
    }),
  );
  apps.push(app);
  app.mount(place);
}

async function frame(): Promise<void> {
  hand.next();
  await nextTick();
}

describe("useTick", () => {
  test("shows nothing, then the newest tick from the next frame on", async () => {
    show(() => h(Price, { symbol: "AAPL" }));
    expect(place.textContent).toBe("AAPL none;");
    feed.tick("AAPL", 1);
    await nextTick();
    expect(place.textContent).toBe("AAPL none;");
    await frame();
    expect(place.textContent).toBe("AAPL 1;");
  });

  test("renders once a frame, however many ticks came, and not for another symbol's", async () => {
    show(() => [h(Price, { symbol: "AAPL" }), h(Price, { symbol: "MSFT" })]);
    for (let price = 1; price <= 100; price++) feed.tick("AAPL", price);
    await frame();
    await frame();
    expect(place.textContent).toBe("AAPL 100;MSFT none;");
    expect(renders).toEqual({ AAPL: 2, MSFT: 1 });
    expect(hand.waiting).toBe(0);
  });

  test("shows what is known already once it is mounted", async () => {
    feed.subscribe("AAPL");
    feed.tick("AAPL", 7);
    show(() => h(Price, { symbol: "AAPL" }));
    await nextTick();
    expect(place.textContent).toBe("AAPL 7;");
  });

  test("follows another symbol or rate when its source changes", async () => {
    const given = reactive<{ symbol: string; maxRate?: number }>({ symbol: "AAPL" });
    show(() => h(Price, given));
    feed.tick("AAPL", 1);
    await frame();
    given.symbol = "MSFT";
    await nextTick();
    expect(place.textContent).toBe("MSFT none;");
    given.maxRate = 5;
    await nextTick();
    vi.advanceTimersByTime(LINGER_MS);
    expect(feed.asked).toEqual(["+AAPL", "+MSFT", "+MSFT@5", "-AAPL", "-MSFT"]);
  });

  test("takes a plain name and a ref alike", async () => {
    const symbol = ref("AAPL");
    const Two = defineComponent(() => {
      const [one, other] = [useTick("MSFT"), useTick(symbol)];
      return () => `${one.value?.price} ${other.value?.price}`;
    });
    show(() => h(Two));
    feed.tick("AAPL", 1);
    feed.tick("MSFT", 2);
    await frame();
    expect(place.textContent).toBe("2 1");
  });
});

describe("subscriptions", () => {
  test("are shared, and end after the last component has left", async () => {
    const many = ref(2);
    show(() => Array.from({ length: many.value }, () => h(Price, { symbol: "AAPL" })));
    many.value = 1;
    await nextTick();
    vi.advanceTimersByTime(LINGER_MS);
    expect(feed.asked).toEqual(["+AAPL"]);
    many.value = 0;
    await nextTick();
    vi.advanceTimersByTime(LINGER_MS - 1);
    expect(feed.asked).toEqual(["+AAPL"]);
    vi.advanceTimersByTime(1);
    expect(feed.asked).toEqual(["+AAPL", "-AAPL"]);
  });

  test("end with the effect scope in which the composable was called", async () => {
    let stop = () => {};
    const Look = defineComponent(() => {
      const scope = effectScope();
      const tick = scope.run(() => useTick("AAPL"));
      stop = () => scope.stop();
      return () => `${tick?.value?.price}`;
    });
    show(() => h(Look));
    feed.tick("AAPL", 1);
    await frame();
    expect(place.textContent).toBe("1");
    stop();
    vi.advanceTimersByTime(LINGER_MS);
    expect(feed.asked).toEqual(["+AAPL", "-AAPL"]);
  });

  test("begin at once in a scope that belongs to no component, and end with it", async () => {
    const app = createApp({}).use(createTickwire({ feed, frames: hand.frames }));
    const scope = effectScope();
    const tick = app.runWithContext(() => scope.run(() => useTick("AAPL")));
    feed.tick("AAPL", 3);
    await frame();
    expect(tick?.value?.price).toBe(3);
    scope.stop();
    vi.advanceTimersByTime(LINGER_MS);
    expect(feed.asked).toEqual(["+AAPL", "-AAPL"]);
  });
});

test("useTicks shows all its symbols in their order, and keeps those that stay when others come and go", async () => {
  const symbols = ref(["AAPL", "MSFT"]);
  show(() => h(Prices, { symbols: symbols.value }));
  feed.tick("MSFT", 2);
  feed.tick("AAPL", 1);
  await frame();
  expect(place.textContent).toBe("AAPL 1, MSFT 2");
  expect(renders).toEqual({ table: 2 });
  symbols.value = ["MSFT", "IBM"];
  await nextTick();
  vi.advanceTimersByTime(LINGER_MS);
  expect(place.textContent).toBe("MSFT 2");
  expect(feed.asked).toEqual(["+AAPL", "+MSFT", "+IBM", "-AAPL"]);
});

test("useTicks sees a name that is put into a reactive list", async () => {
  const symbols = reactive(["AAPL"]);
  const Look = defineComponent(() => {
    const ticks = useTicks(symbols);
    return () => [...ticks.value.keys()].join();
  });
  show(() => h(Look));
  symbols.push("MSFT");
  await nextTick();
  feed.tick("MSFT", 1);
  await frame();
  expect(place.textContent).toBe("MSFT");
});

test("useCandles and useStatus show what the feed says", async () => {
  const Look = defineComponent(() => {
    const [candles, status] = [useCandles("AAPL", "1s"), useStatus()];
    return () => `${status.value.state} ${candles.value.map(({ close }) => close).join()}`;
  });
  show(() => h(Look));
  expect(place.textContent).toBe("connecting ");
  feed.becomes({ state: "live" });
  feed.chart("AAPL", "1s", [aCandle(1, 1)], true);
  feed.chart("AAPL", "1s", [aCandle(2, 2)], false);
  await frame();
  expect(place.textContent).toBe("live 1,2");
});

test("A component may use what it provides itself", async () => {
  let found: unknown;
  const Both = defineComponent(() => {
    const given = provideTickwire(feed);
    found = [given, useFeed()];
    return () => "";
  });
  const app = createApp(Both);
  apps.push(app);
  app.mount(place);
  expect(found).toEqual([feed, feed]);
});

test("A composable without a provided feed says what is missing", () => {
  const app = createApp(Price, { symbol: "AAPL" });
  app.config.warnHandler = () => undefined;
  expect(() => app.mount(place)).toThrow("provideTickwire()");
});

test("A server follows nothing, and what it shows is hydrated without a complaint", async () => {
  const complaints = vi.spyOn(console, "warn");
  const page: Component = defineComponent(() => {
    provideTickwire({ feed, frames: hand.frames });
    return () => h("div", [h(Price, { symbol: "AAPL" }), h(Prices, { symbols: ["AAPL"] })]);
  });
  place.innerHTML = await renderToString(createSSRApp(page));
  expect(place.textContent).toBe("AAPL none;");
  expect(feed.asked).toEqual([]);
  feed.subscribe("AAPL");
  feed.tick("AAPL", 4);
  const app = createSSRApp(page);
  apps.push(app);
  app.mount(place);
  await nextTick();
  expect(place.textContent).toBe("AAPL 4;AAPL 4");
  expect(complaints).not.toHaveBeenCalled();
});

describe("with a url", () => {
  const source = { url: "ws://localhost/v1/stream", options: { WebSocket: SilentSocket } };
  const Look = defineComponent(() => {
    const tick = useTick("AAPL");
    return () => `${tick.value?.price}`;
  });

  test("a component connects when somebody looks, and closes when it is unmounted", async () => {
    const app = createApp(
      defineComponent(() => {
        provideTickwire(source);
        return () => h(Look);
      }),
    );
    app.mount(place);
    await vi.advanceTimersByTimeAsync(0);
    expect(SilentSocket.made.map(({ closed }) => closed)).toEqual([false]);
    app.unmount();
    vi.advanceTimersByTime(LINGER_MS);
    expect(SilentSocket.made.map(({ closed }) => closed)).toEqual([true]);
  });

  test("a plugin does so for the whole application", async () => {
    const app = createApp(Look).use(createTickwire(source));
    expect(SilentSocket.made).toEqual([]);
    app.mount(place);
    await vi.advanceTimersByTimeAsync(0);
    expect(SilentSocket.made).toHaveLength(1);
    app.unmount();
    vi.advanceTimersByTime(LINGER_MS);
    expect(SilentSocket.made.map(({ closed }) => closed)).toEqual([true]);
  });

  test("or a feed: one of them is asked for", () => {
    expect(() => createTickwire({})).toThrow("give either a feed, or the url of a gateway");
  });
});

test("A component is updated once a frame, whatever of its values changed", async () => {
  let updates = 0;
  const Look = defineComponent(() => {
    const [tick, ticks, status] = [useTick("AAPL"), useTicks(["AAPL", "MSFT"]), useStatus()];
    onUpdated(() => updates++);
    return () => `${tick.value?.price} ${ticks.value.size} ${status.value.state}`;
  });
  show(() => h(Look));
  feed.tick("AAPL", 1);
  feed.tick("MSFT", 1);
  feed.becomes({ state: "live" });
  await frame();
  expect(place.textContent).toBe("1 2 live");
  expect(updates).toBe(1);
});
