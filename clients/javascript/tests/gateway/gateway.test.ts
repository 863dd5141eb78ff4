/** Against a real gateway, over each transport. */
import { describe, expect, inject, test } from "vitest";
import { WebSocket as Ws } from "ws";
import { type ConnectOptions, connect, type Feed, type FeedEvents, type Status, type Tick } from "../../src/index.js";

/** The platform's, where it has one: Node 22 and later. */
const WebSocket = globalThis.WebSocket ?? Ws;
const SYMBOLS = ["AAPL", "MSFT", "NVDA"];

async function using<T>(options: ConnectOptions, use: (feed: Feed) => Promise<T>): Promise<T> {
  const feed = connect(inject("gateway"), { WebSocket, ...options });
  try {
    return await use(feed);
  } finally {
    feed.close();
  }
}

function next<E extends keyof FeedEvents>(feed: Feed, event: E): Promise<FeedEvents[E]> {
  return new Promise((done) => {
    const stop = feed.on(event, (value) => {
      stop();
      done(value);
    });
  });
}

async function status(feed: Feed, wanted: (status: Status) => boolean): Promise<Status> {
  while (!wanted(feed.status)) await next(feed, "status");
  return feed.status;
}

/** Each tick that came is the one after the one before, or says how many were left out: a busy machine is a slow client. */
function consecutive(ticks: readonly Tick[]): void {
  for (const symbol of SYMBOLS) {
    const [first, ...more] = ticks.filter((tick) => tick.symbol === symbol);
    expect(first?.snapshot).toBe(true);
    let seq = first?.seq as number;
    for (const tick of more) {
      seq += 1 + (tick.skipped ?? 0);
      expect(tick.seq).toBe(seq);
    }
  }
}

describe.each(["websocket", "sse"] as const)("over %s", (transport) => {
  test("every tick comes once and in order", async () => {
    await using({ transport }, async (feed) => {
      const ticks: Tick[] = [];
      const subscription = feed.subscribe(SYMBOLS, (tick) => ticks.push(tick));
      await subscription.ready;
      await status(feed, () => ticks.length > 100);
      consecutive(ticks);
      expect(feed.status).toMatchObject({ state: "live", transport, violations: 0, missing: 0, gaps: 0 });
      expect(feed.account("AAPL")).toMatchObject({ missing: 0, unexplained: 0, repeated: 0 });
      expect(feed.day("AAPL")?.previous_close).toBeGreaterThan(0);
      expect(feed.session("AAPL")?.state).toBe("open");
    });
  });

  test("a rate is kept to, and what it leaves out is counted", async () => {
    await using({ transport, maxRate: 2 }, async (feed) => {
      const ticks: Tick[] = [];
      for await (const tick of feed.subscribe("NVDA")) if (ticks.push(tick) === 5) break;
      const [first, last] = [ticks[0] as Tick, ticks[4] as Tick];
      const skipped = ticks.reduce((sum, tick) => sum + (tick.skipped ?? 0), 0);
      expect(last.seq - first.seq).toBe(4 + skipped);
      expect(last.received - first.received).toBeGreaterThan(1500);
    });
  });

  test("a symbol that nobody knows is refused, and others go on", async () => {
    await using({ transport }, async (feed) => {
      const told: unknown[] = [];
      const ticks: Tick[] = [];
      const subscription = feed.subscribe(["AAPL", "ZZZZ"], (tick) => ticks.push(tick), {
        onError: (error) => told.push(error),
      });
      await expect(subscription.ready).rejects.toMatchObject({ code: "unknown_symbol", symbol: "ZZZZ" });
      expect(told).toMatchObject([{ code: "unknown_symbol" }]);
      await status(feed, () => ticks.length > 5);
    });
  });

  test("more symbols may come and go on the same feed, and cost the others nothing", async () => {
    await using({ transport }, async (feed) => {
      const ticks: Tick[] = [];
      feed.subscribe(SYMBOLS, (tick) => ticks.push(tick));
      const tsla = feed.subscribe("TSLA");
      await tsla.ready;
      await status(feed, () => ticks.length > 30);
      tsla.close();
      await feed.subscribe("AMZN").ready;
      const before = ticks.length;
      await status(feed, () => ticks.length > before + 30);
      consecutive(ticks);
      expect(feed.status.violations).toBe(0);
    });
  });

  test("an earlier run's position is gone on after", async () => {
    const first = await using({ transport }, async (feed) => {
      for await (const tick of feed.subscribe("AAPL")) if (!tick.snapshot) return tick;
    });
    await using({ transport }, async (feed) => {
      const { epoch, seq } = first as Tick;
      for await (const tick of feed.subscribe("AAPL", undefined, { resume: { AAPL: { epoch, seq } } })) {
        expect([tick.epoch, tick.seq, tick.snapshot]).toEqual([epoch, seq + 1, undefined]);
        break;
      }
    });
  });
});

test("clocks and latencies are measured over a WebSocket", async () => {
  await using({ transport: "websocket" }, async (feed) => {
    feed.subscribe(SYMBOLS);
    const { offset, roundTrip, latency } = await status(feed, ({ latency }) => latency !== null);
    expect(Math.abs(offset as number)).toBeLessThan((roundTrip as number) + 5); // the same clock
    expect(latency?.p50).toBeLessThan(10_000);
  });
});

test("server-sent events serve where no WebSocket opens, and then nothing was lost", async () => {
  class Blocked extends EventTarget {
    onclose: ((event: { code: number; reason: string }) => void) | null = null;
    constructor() {
      super();
      setTimeout(() => this.onclose?.({ code: 1006, reason: "" }));
    }
    close() {}
  }
  await using({ WebSocket: Blocked }, async (feed) => {
    const ticks: Tick[] = [];
    feed.subscribe(SYMBOLS, (tick) => ticks.push(tick));
    await status(feed, ({ transport }) => transport === "sse" && ticks.length > 30);
    consecutive(ticks);
  });
});

test("a host where nobody listens is one error, and tried again", async () => {
  const feed = connect("ws://127.0.0.1:9/v1/stream", { WebSocket });
  const error = await next(feed, "error");
  expect(error).toMatchObject({ code: "unreachable", final: false });
  expect(feed.status.state).toBe("connecting");
  feed.close();
});
