// @vitest-environment happy-dom
import { act, createElement, Profiler, type ReactNode, StrictMode } from "react";
import { createRoot, hydrateRoot, type Root } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { TickwireProvider, useCandles, useFeed, useStatus, useTick, useTicks } from "../../src/react.js";
import { LINGER_MS } from "../../src/views/exit.js";
import { aCandle, FakeFeed } from "./fakefeed.js";
import { HandFrames } from "./handframes.js";
import { SilentSocket } from "./silentsocket.js";

const h = createElement;
let feed: FakeFeed;
let hand: HandFrames;
let root: Root;
let place: HTMLElement;
/** How often each component rendered. */
let renders: Record<string, number>;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  feed = new FakeFeed();
  hand = new HandFrames();
  place = document.createElement("div");
  root = createRoot(place);
  renders = {};
});

afterEach(async () => {
  await act(async () => root.unmount());
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function rendered(name: string): void {
  renders[name] = (renders[name] ?? 0) + 1;
}

function Price({ symbol, maxRate }: { symbol: string; maxRate?: number }) {
  const tick = useTick(symbol, maxRate === undefined ? undefined : { maxRate });
  rendered(symbol);
  return h("b", null, `${symbol} ${tick?.price ?? "none"};`);
}

function Prices({ symbols }: { symbols: readonly string[] }) {
  const ticks = useTicks([...symbols]);
  rendered("table");
  return h("b", null, [...ticks.values()].map(({ symbol, price }) => `${symbol} ${price}`).join(", "));
}

function within(...children: ReactNode[]): ReactNode {
  return h(TickwireProvider, { feed, frames: hand.frames }, ...children);
}

async function show(...children: ReactNode[]): Promise<void> {
  await act(async () => root.render(within(...children)));
}

async function frame(): Promise<void> {
  await act(async () => hand.next());
}

async function later(ms: number): Promise<void> {
  await act(async () => vi.advanceTimersByTime(ms));
}

describe("useTick", () => {
  test("shows nothing, then the newest tick from the next frame on", async () => {
    await show(h(Price, { symbol: "AAPL" }));
    expect(place.textContent).toBe("AAPL none;");
    feed.tick("AAPL", 1);
    await act(async () => undefined);
    expect(place.textContent).toBe("AAPL none;");
    await frame();
    expect(place.textContent).toBe("AAPL 1;");
  });

  test("renders once a frame, however many ticks came, and not at all where none came", async () => {
    await show(h(Price, { symbol: "AAPL" }));
    for (let price = 1; price <= 100; price++) feed.tick("AAPL", price);
    await frame();
    expect(place.textContent).toBe("AAPL 100;");
    expect(renders).toEqual({ AAPL: 2 });
    expect(hand.waiting).toBe(0);
    await frame();
    expect(renders).toEqual({ AAPL: 2 });
  });

  test("does not render for another symbol's ticks", async () => {
    await show(h(Price, { symbol: "AAPL" }), h(Price, { symbol: "MSFT" }));
    feed.tick("MSFT", 5);
    await frame();
    expect(place.textContent).toBe("AAPL none;MSFT 5;");
    expect(renders).toEqual({ AAPL: 1, MSFT: 2 });
  });

  test("shows what is known already when it is mounted", async () => {
    feed.subscribe("AAPL");
    feed.tick("AAPL", 7);
    await show(h(Price, { symbol: "AAPL" }));
    expect(place.textContent).toBe("AAPL 7;");
    await frame();
    expect(renders).toEqual({ AAPL: 1 });
  });

  test("shows the same as a component beside it, although that one is mounted between two frames", async () => {
    await show(h(Price, { symbol: "AAPL" }));
    feed.tick("AAPL", 1);
    await frame();
    feed.tick("AAPL", 2);
    await show(h(Price, { symbol: "AAPL" }), h(Price, { symbol: "AAPL" }));
    expect(place.textContent).toBe("AAPL 1;AAPL 1;");
    await frame();
    expect(place.textContent).toBe("AAPL 2;AAPL 2;");
  });

  test("follows another symbol when it is given one", async () => {
    await show(h(Price, { symbol: "AAPL" }));
    feed.tick("AAPL", 1);
    await frame();
    await show(h(Price, { symbol: "MSFT" }));
    expect(place.textContent).toBe("MSFT none;");
    await later(LINGER_MS);
    expect(feed.asked).toEqual(["+AAPL", "+MSFT", "-AAPL"]);
  });

  test("passes the rate on, and another rate is another subscription", async () => {
    await show(h(Price, { symbol: "AAPL", maxRate: 5 }), h(Price, { symbol: "AAPL" }));
    expect(feed.asked).toEqual(["+AAPL@5", "+AAPL"]);
  });
});

describe("subscriptions", () => {
  test("are shared by all that look at a symbol, and end after the last has left", async () => {
    await show(h(Price, { symbol: "AAPL", key: 1 }), h(Price, { symbol: "AAPL", key: 2 }));
    await show(h(Price, { symbol: "AAPL", key: 1 }));
    await later(LINGER_MS);
    expect(feed.asked).toEqual(["+AAPL"]);
    await show();
    await later(LINGER_MS - 1);
    expect(feed.asked).toEqual(["+AAPL"]);
    await later(1);
    expect(feed.asked).toEqual(["+AAPL", "-AAPL"]);
  });

  test("survive StrictMode, which mounts everything twice", async () => {
    await act(async () => root.render(h(StrictMode, null, within(h(Price, { symbol: "AAPL" })))));
    await later(10 * LINGER_MS);
    expect(feed.asked).toEqual(["+AAPL"]);
    feed.tick("AAPL", 3);
    await frame();
    expect(place.textContent).toBe("AAPL 3;");
  });

  test("survive a component that is replaced by another one of the same symbol", async () => {
    await show(h(Price, { symbol: "AAPL", key: 1 }));
    await show();
    await later(LINGER_MS - 1);
    await show(h(Price, { symbol: "AAPL", key: 2 }));
    await later(10 * LINGER_MS);
    expect(feed.asked).toEqual(["+AAPL"]);
  });

  test("begin anew for who comes back later, without the old price", async () => {
    await show(h(Price, { symbol: "AAPL", key: 1 }));
    feed.tick("AAPL", 1);
    await frame();
    expect(place.textContent).toBe("AAPL 1;");
    feed.tick("AAPL", 2);
    await show();
    await later(LINGER_MS);
    expect(hand.waiting).toBe(0);
    await show(h(Price, { symbol: "AAPL", key: 2 }));
    expect(place.textContent).toBe("AAPL none;");
    expect(feed.asked).toEqual(["+AAPL", "-AAPL", "+AAPL"]);
  });
});

describe("useTicks", () => {
  test("renders once a frame for all its symbols, in their order, and follows each once", async () => {
    await show(h(Prices, { symbols: ["AAPL", "MSFT", "AAPL"] }));
    feed.tick("MSFT", 2);
    feed.tick("AAPL", 1);
    await frame();
    expect(place.textContent).toBe("AAPL 1, MSFT 2");
    feed.tick("MSFT", 3);
    await frame();
    expect(place.textContent).toBe("AAPL 1, MSFT 3");
    expect(renders).toEqual({ table: 3 });
    expect(feed.asked).toEqual(["+AAPL", "+MSFT"]);
  });

  test("gives the same map until one of its symbols changed", async () => {
    const maps = new Set<unknown>();
    const Look = ({ turn }: { turn: number }) => {
      maps.add(useTicks(["AAPL"]));
      return turn;
    };
    await show(h(Look, { turn: 1 }), h(Price, { symbol: "MSFT" }));
    feed.tick("AAPL", 1);
    await frame();
    feed.tick("MSFT", 1);
    await frame();
    await show(h(Look, { turn: 2 }));
    expect(maps.size).toBe(2);
  });

  test("keeps the symbols that stay when others come and go", async () => {
    await show(h(Prices, { symbols: ["AAPL", "MSFT"] }));
    await show(h(Prices, { symbols: ["MSFT", "IBM"] }));
    await later(LINGER_MS);
    expect(feed.asked).toEqual(["+AAPL", "+MSFT", "+IBM", "-AAPL"]);
  });

  test("follows nothing where there is nothing to follow", async () => {
    await show(h(Prices, { symbols: [] }));
    expect(feed.asked).toEqual([]);
  });
});

test("useCandles puts changed candles in by their start, and begins again at a reset", async () => {
  const Chart = () =>
    h(
      "b",
      null,
      useCandles("AAPL", "1m")
        .map(({ start, close }) => `${start}:${close}`)
        .join(" "),
    );
  await show(h(Chart));
  feed.chart("AAPL", "1m", [aCandle(60, 1), aCandle(120, 2)], true);
  feed.chart("AAPL", "1m", [aCandle(120, 3), aCandle(180, 4)], false);
  await frame();
  expect(place.textContent).toBe("60:1 120:3 180:4");
  feed.chart("AAPL", "1m", [aCandle(240, 5)], true);
  await frame();
  expect(place.textContent).toBe("240:5");
});

test("useStatus shows how the connection does, and stops listening when nobody looks", async () => {
  const State = () => h("b", null, useStatus().state);
  await show(h(State), h(State));
  expect(place.textContent).toBe("connectingconnecting");
  feed.becomes({ state: "live" });
  await frame();
  expect(place.textContent).toBe("livelive");
  expect(feed.listening("status")).toBe(1);
  await show();
  await later(LINGER_MS);
  expect(feed.listening("status")).toBe(0);
});

test("useFeed gives the provider's feed", async () => {
  let found: unknown;
  const Look = () => {
    found = useFeed();
    return null;
  };
  await show(h(Look));
  expect(found).toBe(feed);
});

test("A hook outside a provider says what is missing", () => {
  expect(() => renderToString(h(Price, { symbol: "AAPL" }))).toThrow("TickwireProvider");
});

describe("on a server", () => {
  const page = () => within(h(Price, { symbol: "AAPL" }), h(Prices, { symbols: ["AAPL"] }));

  test("nothing is followed, and the page says that no price is there", () => {
    expect(renderToString(page())).toContain("AAPL none;");
    expect(feed.asked).toEqual([]);
  });

  test("a page is hydrated without a complaint, although a price is there already", async () => {
    const complaints = vi.spyOn(console, "error");
    const served = document.createElement("div");
    served.innerHTML = renderToString(page());
    feed.subscribe("AAPL");
    feed.tick("AAPL", 4);
    const hydrated = await act(async () => hydrateRoot(served, page()));
    expect(served.textContent).toBe("AAPL 4;AAPL 4");
    expect(complaints).not.toHaveBeenCalled();
    await act(async () => hydrated.unmount());
  });
});

describe("TickwireProvider with a url", () => {
  const page = (...children: ReactNode[]) => {
    const url = new URL("ws://localhost/v1/stream");
    return h(TickwireProvider, { url, options: { WebSocket: SilentSocket } }, ...children);
  };

  beforeEach(() => SilentSocket.made.splice(0));

  test("connects for the first that looks, once, and closes when it is gone", async () => {
    await act(async () => root.render(h(StrictMode, null, page())));
    expect(SilentSocket.made).toEqual([]);
    await act(async () => root.render(h(StrictMode, null, page(h(Price, { symbol: "AAPL" })))));
    await later(10 * LINGER_MS);
    await act(async () => root.render(h(StrictMode, null, page(h(Price, { symbol: "AAPL" })))));
    await later(10 * LINGER_MS);
    expect(SilentSocket.made.map(({ closed }) => closed)).toEqual([false]);
    await act(async () => root.render(null));
    await later(LINGER_MS);
    expect(SilentSocket.made.map(({ closed }) => closed)).toEqual([true]);
  });

  test("connects to another address when it is given one", async () => {
    const other = { url: "ws://elsewhere/v1/stream", options: { WebSocket: SilentSocket } };
    await act(async () => root.render(page(h(Price, { symbol: "AAPL" }))));
    await act(async () => root.render(h(TickwireProvider, other, h(Price, { symbol: "AAPL" }))));
    await later(LINGER_MS);
    expect(SilentSocket.made.map(({ url, closed }) => [url, closed])).toEqual([
      ["ws://localhost/v1/stream", true],
      ["ws://elsewhere/v1/stream", false],
    ]);
  });

  test("never connects on a server", () => {
    expect(renderToString(page(h(Price, { symbol: "AAPL" })))).toContain("AAPL none;");
    expect(SilentSocket.made).toEqual([]);
  });

  test("asks for a feed or a url", () => {
    expect(() => renderToString(h(TickwireProvider))).toThrow("give either a feed, or the url of a gateway");
  });
});

test("A frame renders all that changed in one go", async () => {
  let commits = 0;
  await show(
    h(
      Profiler,
      { id: "all", onRender: () => commits++ },
      h(Price, { symbol: "AAPL" }),
      h(Price, { symbol: "MSFT" }),
      h(Prices, { symbols: ["AAPL", "MSFT"] }),
    ),
  );
  commits = 0;
  feed.tick("AAPL", 1);
  feed.tick("MSFT", 1);
  await frame();
  expect(commits).toBe(1);
});
