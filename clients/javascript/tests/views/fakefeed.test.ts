import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Candle, connect, type Feed, type Interval, type Status, type Tick } from "../../src/index.js";
import { aCandle, FakeFeed } from "./fakefeed.js";
import { ScriptedGateway } from "./scriptedgateway.js";

/** A feed, and the way to have the world tell it something. */
interface World {
  readonly feed: Feed;
  tick(symbol: string, price: number): void;
  chart(symbol: string, interval: Interval, candles: readonly Candle[], reset: boolean): void;
  becomesStale(): void;
}

/** Let everything happen that needs no time. */
const settled = () => vi.advanceTimersByTimeAsync(0);

async function fake(): Promise<World> {
  const feed = new FakeFeed();
  feed.becomes({ state: "live" });
  return Object.assign(
    { feed, becomesStale: () => void feed.becomes({ state: "stale" }) },
    { tick: feed.tick.bind(feed), chart: feed.chart.bind(feed) },
  );
}

async function real(): Promise<World> {
  const gateway = new ScriptedGateway();
  const feed = connect("ws://localhost/v1/stream", { WebSocket: gateway.WebSocket });
  await settled();
  gateway.opens();
  await settled();
  return Object.assign(
    { feed, becomesStale: gateway.becomesStale.bind(gateway) },
    { tick: gateway.tick.bind(gateway), chart: gateway.chart.bind(gateway) },
  );
}

describe.each([
  ["the fake feed", fake],
  ["the real feed", real],
])("What the tests of React and Vue expect of a feed holds for %s:", (_name, make) => {
  let world: World;
  let feed: Feed;

  beforeEach(async () => {
    vi.useFakeTimers();
    world = await make();
    feed = world.feed;
  });
  afterEach(() => {
    feed.close();
    vi.useRealTimers();
  });

  /** Follow *symbol*; return what is heard. */
  async function heard(symbol: string): Promise<Tick[]> {
    const ticks: Tick[] = [];
    feed.subscribe(symbol, (tick) => ticks.push(tick));
    await settled();
    return ticks;
  }

  test("a listener gets the ticks of its symbol, and `last` is the same object", async () => {
    expect(feed.last("AAPL")).toBeUndefined();
    const ticks = await heard("AAPL");
    expect(ticks).toEqual([]);
    await heard("MSFT");
    for (const price of [1, 2]) {
      world.tick("AAPL", price);
      world.tick("MSFT", 10 * price);
    }
    expect(ticks.map(({ symbol, price }) => `${symbol} ${price}`)).toEqual(["AAPL 1", "AAPL 2"]);
    expect(feed.last("AAPL")).toBe(ticks[1]);
    expect(feed.last("MSFT")?.price).toBe(20);
  });

  test("who follows what is followed already gets a copy of the newest tick, a little later", async () => {
    await heard("AAPL");
    world.tick("AAPL", 7);
    const late: Tick[] = [];
    feed.subscribe("AAPL", (tick) => late.push(tick));
    expect(late).toEqual([]);
    await settled();
    expect(late).toEqual([{ ...feed.last("AAPL"), snapshot: true, skipped: 0 }]);
    expect(late[0]).not.toBe(feed.last("AAPL"));
  });

  test("a subscription that is closed hears nothing more, and the last one takes the price along", async () => {
    const ticks: Tick[] = [];
    const subscription = feed.subscribe("AAPL", (tick) => ticks.push(tick));
    await settled();
    world.tick("AAPL", 1);
    subscription.close();
    await settled();
    world.tick("AAPL", 2);
    expect(ticks.map(({ price }) => price)).toEqual([1]);
    expect(feed.last("AAPL")).toBeUndefined();
  });

  test("candles are told as they come", async () => {
    const told: unknown[] = [];
    const subscription = feed.candles("AAPL", "1m", (candles, reset) => told.push([candles, reset]));
    await settled();
    world.chart("AAPL", "1m", [aCandle(60, 1)], true);
    world.chart("AAPL", "1m", [aCandle(60, 2)], false);
    world.chart("AAPL", "1s", [aCandle(1, 9)], true);
    subscription.close();
    await settled();
    world.chart("AAPL", "1m", [aCandle(60, 3)], false);
    expect(told).toEqual([
      [[aCandle(60, 1)], true],
      [[aCandle(60, 2)], false],
    ]);
  });

  test("a change of state is told with the new status, until nobody listens", async () => {
    const told: Status[] = [];
    expect(feed.status.state).toBe("live");
    const stop = feed.on("status", (status) => told.push(status));
    world.becomesStale();
    expect(told.map(({ state }) => state)).toEqual(["stale"]);
    expect(feed.status).toBe(told[0]);
    stop();
    feed.close();
    expect(feed.status.state).toBe("closed");
    expect(told).toHaveLength(1);
  });
});
