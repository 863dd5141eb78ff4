/** Feeds over scripted sockets and a clock of the test's own. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  type ConnectOptions,
  connect,
  type Feed,
  type Status,
  type Tick,
  type TickwireError,
} from "../../src/index.js";
import { HANDSHAKE_MS, SILENCE_MS } from "../../src/link.js";
import { MISSES } from "../../src/route.js";
import { AGAIN_MS } from "../../src/sse/socket.js";

class Scripted {
  static all: Scripted[] = [];
  static get last(): Scripted {
    return Scripted.all.at(-1) as Scripted;
  }
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: unknown = null;
  readonly said: Record<string, unknown>[] = [];
  closed = false;

  constructor(
    readonly url: string,
    readonly protocols: string[],
  ) {
    Scripted.all.push(this);
  }
  send(text: string) {
    const command = JSON.parse(text);
    if (command.op !== "ping") this.said.push(command);
  }
  close() {
    this.closed = true;
  }
  hear(frame: object) {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
  welcome(more: object = {}) {
    this.onopen?.();
    this.hear({ op: "welcome", protocol: 1, feed: "live", auth: "none", limits: {}, ...more });
  }
  accept(index = -1) {
    const command = this.said.at(index) as Record<string, unknown>;
    const resume = (command.resume ?? {}) as Record<string, object>;
    const symbols = (command.symbols as string[]).map((symbol) => [
      symbol,
      resume[symbol] ?? { epoch: null, seq: null },
    ]);
    this.hear({ op: "subscribed", id: command.id, symbols: Object.fromEntries(symbols), rejected: {}, pending: 0 });
  }
  snapshot(symbol: string, seq: number) {
    this.hear({ op: "snapshot", epoch: 1, data: [raw(symbol, seq)], none: {} });
  }
  ticks(symbol: string, ...seqs: number[]) {
    this.hear({ op: "ticks", data: seqs.map((seq) => raw(symbol, seq)) });
  }
  end(code: number, reason = "") {
    this.onclose?.({ code, reason });
  }
}

const raw = (symbol: string, seq: number) => ({ symbol, seq, ts: 0, price: 1, size: 1, volume: 1 });
const settle = () => vi.advanceTimersByTimeAsync(0);
let feeds: Feed[] = [];

async function open(options: ConnectOptions = {}, url: string | string[] = "ws://a"): Promise<Feed> {
  const feed = connect(url, { WebSocket: Scripted, random: () => 0.5, transport: "websocket", ...options });
  feeds.push(feed);
  await settle();
  return feed;
}

/** A feed on which AAPL stands at seq 1; `ticks` is what its listener is given. */
async function standing(options: ConnectOptions = {}) {
  const feed = await open(options);
  const ticks: Tick[] = [];
  const subscription = feed.subscribe("AAPL", (tick) => ticks.push(tick));
  Scripted.last.welcome();
  await settle();
  Scripted.last.accept();
  Scripted.last.snapshot("AAPL", 1);
  return { feed, ticks, subscription };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance", "Date"] });
  Scripted.all = [];
});

afterEach(() => {
  for (const feed of feeds) feed.close();
  feeds = [];
  vi.useRealTimers();
});

describe("a subscription", () => {
  test("is ready once every symbol is answered, and gets its ticks", async () => {
    const { feed, ticks, subscription } = await standing();
    await subscription.ready;
    Scripted.last.ticks("AAPL", 2, 3);
    expect(ticks.map(({ seq, epoch, snapshot }) => [seq, epoch, snapshot])).toEqual([
      [1, 1, true],
      [2, 1, undefined],
      [3, 1, undefined],
    ]);
    expect(feed.last("AAPL")?.seq).toBe(3);
    expect(feed.account("AAPL").delivered).toBe(3);
  });

  test("of a symbol that is followed already begins with the newest tick, and asks for nothing", async () => {
    const { feed } = await standing();
    const late: Tick[] = [];
    feed.subscribe("AAPL", (tick) => late.push(tick));
    await settle();
    expect(late).toMatchObject([{ seq: 1, snapshot: true }]);
    expect(Scripted.last.said).toHaveLength(1);
  });

  test("that wants fewer ticks than come is thinned here, with the last one before a pause", async () => {
    const { feed } = await standing();
    const slow: Tick[] = [];
    feed.subscribe("AAPL", (tick) => slow.push(tick), { maxRate: 10 });
    await settle();
    Scripted.last.ticks("AAPL", 2, 3, 4);
    await vi.advanceTimersByTimeAsync(100);
    expect(slow.map(({ seq, skipped }) => [seq, skipped])).toEqual([
      [1, 0],
      [2, undefined],
      [4, 1],
    ]);
  });

  test("whose listener throws goes on, and so do the others", async () => {
    const { feed, ticks } = await standing();
    const errors: TickwireError[] = [];
    feed.on("error", (error) => errors.push(error));
    const cause = new Error("mine");
    feed.subscribe("AAPL", () => {
      throw cause;
    });
    await settle();
    Scripted.last.ticks("AAPL", 2);
    expect(ticks.map(({ seq }) => seq)).toEqual([1, 2]);
    expect(errors.map(({ code, cause }) => [code, cause])).toEqual([
      ["listener", cause],
      ["listener", cause],
    ]);
    expect(feed.status.state).toBe("live");
  });

  test("that is not served is told by ready, onError and the iterator", async () => {
    const feed = await open();
    const told: TickwireError[] = [];
    const subscription = feed.subscribe("ZZZZ", undefined, { onError: (error) => told.push(error) });
    Scripted.last.welcome();
    await settle();
    const [command] = Scripted.last.said;
    const rejected = { ZZZZ: "unknown_symbol" };
    Scripted.last.hear({ op: "subscribed", id: command?.id, symbols: {}, rejected, pending: 0 });
    const wanted = { code: "unknown_symbol", symbol: "ZZZZ", final: true };
    await expect(subscription.ready).rejects.toMatchObject(wanted);
    await expect(subscription[Symbol.asyncIterator]().next()).rejects.toMatchObject(wanted);
    expect(told).toMatchObject([wanted]);
  });

  test("that is closed ends the symbol for the gateway only with the last one", async () => {
    const { feed, subscription } = await standing();
    const other = feed.subscribe("AAPL");
    await settle();
    subscription.close();
    await settle();
    expect(Scripted.last.said.map(({ op }) => op)).toEqual(["subscribe"]);
    other.close();
    await settle();
    expect(Scripted.last.said.map(({ op }) => op)).toEqual(["subscribe", "unsubscribe"]);
  });

  test("iterates, and a loop that is left closes it", async () => {
    const { feed } = await standing();
    const seqs: number[] = [];
    const reading = (async () => {
      for await (const { seq } of feed.subscribe("AAPL")) {
        seqs.push(seq);
        if (seq === 3) break;
      }
    })();
    await settle();
    Scripted.last.ticks("AAPL", 2, 3, 4);
    await reading;
    expect(seqs).toEqual([1, 2, 3]);
  });

  test("whose loop is slow gets the newest ticks and the number of those it did not get", async () => {
    const { feed } = await standing();
    const loop = feed.subscribe("AAPL")[Symbol.asyncIterator]();
    expect((await loop.next()).value).toMatchObject({ seq: 1 });
    for (let seq = 2; seq <= 10_000; seq++) Scripted.last.ticks("AAPL", seq);
    let [count, skipped, last] = [0, 0, 1];
    while (last < 10_000) {
      const { value } = await loop.next();
      count++;
      skipped += value?.skipped ?? 0;
      last = value?.seq ?? 0;
    }
    expect([count, count + skipped]).toEqual([8193, 9999]);
  });
});

describe("a connection that ends", () => {
  test("is followed by another one, which resumes", async () => {
    const { feed, ticks } = await standing();
    Scripted.last.ticks("AAPL", 2);
    Scripted.last.end(1006);
    expect(feed.status).toMatchObject({ state: "reconnecting", transport: null, reconnects: 1, error: null });
    await vi.advanceTimersByTimeAsync(100);
    expect(Scripted.all).toHaveLength(2);
    Scripted.last.welcome();
    await settle();
    expect(Scripted.last.said).toMatchObject([{ resume: { AAPL: { epoch: 1, seq: 2 } } }]);
    Scripted.last.accept();
    Scripted.last.ticks("AAPL", 3);
    expect(ticks.map(({ seq }) => seq)).toEqual([1, 2, 3]);
    expect(feed.account("AAPL")).toMatchObject({ delivered: 3, missing: 0, unexplained: 0 });
  });

  test("because nothing came for 40 s is noticed", async () => {
    const { feed } = await standing();
    const { last } = Scripted;
    await vi.advanceTimersByTimeAsync(SILENCE_MS + 1);
    expect([last.closed, feed.status.state]).toEqual([true, "reconnecting"]);
  });

  test("before the first word is given up after 10 s", async () => {
    const feed = await open();
    await vi.advanceTimersByTimeAsync(HANDSHAKE_MS + 1);
    expect(feed.status).toMatchObject({ state: "connecting", error: { code: "unreachable", final: false } });
  });

  test("after `reconnect` is not tried again before that time", async () => {
    await standing();
    Scripted.last.hear({ op: "reconnect", in_ms: 3000, reason: "restart" });
    Scripted.last.end(1012);
    await vi.advanceTimersByTimeAsync(2999);
    expect(Scripted.all).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(Scripted.all).toHaveLength(2);
  });

  test("and that cannot be made again is one error, however many attempts fail", async () => {
    const { feed } = await standing();
    const errors: TickwireError[] = [];
    feed.on("error", (error) => errors.push(error));
    for (let n = 0; n < 5; n++) {
      Scripted.last.end(1006);
      await vi.advanceTimersByTimeAsync(10_000);
    }
    expect(errors).toMatchObject([{ code: "unreachable", final: false }]);
  });

  test("over server-sent events looks out for a WebSocket, and goes over to it", async () => {
    await open({ transport: "auto", fetch: () => new Promise(() => {}) });
    for (let n = 0; n < MISSES; n++) {
      Scripted.last.end(1006);
      await vi.advanceTimersByTimeAsync(500);
    }
    await vi.dynamicImportSettled();
    await vi.advanceTimersByTimeAsync(AGAIN_MS);
    expect(Scripted.all.length).toBe(MISSES + 1);
    Scripted.last.onopen?.();
    expect(Scripted.last.closed).toBe(true);
    await vi.advanceTimersByTimeAsync(500);
    expect(Scripted.all.length).toBe(MISSES + 2);
    expect(Scripted.last.closed).toBe(false);
  });

  test("is hastened by the page or the network that is back", async () => {
    const target = new EventTarget();
    vi.stubGlobal("addEventListener", target.addEventListener.bind(target));
    vi.stubGlobal("removeEventListener", target.removeEventListener.bind(target));
    await standing({ random: () => 1 });
    Scripted.last.end(1006);
    target.dispatchEvent(new Event("online"));
    await settle();
    expect(Scripted.all).toHaveLength(2);
    vi.unstubAllGlobals();
  });
});

describe("what cannot succeed is not tried again", () => {
  test.each([
    [4501, {}, "token_required"],
    [4501, { token: "t" }, "token_refused"],
    [4401, { token: "t" }, "token_refused"],
    [4503, {}, "forbidden"],
    [1008, {}, "forbidden"],
  ])("close %i with %j: %s", async (code, options, found) => {
    const feed = await open(options);
    const told: TickwireError[] = [];
    const subscription = feed.subscribe("AAPL", undefined, { onError: (error) => told.push(error) });
    Scripted.last.end(code, "words");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(Scripted.all).toHaveLength(1);
    expect(feed.status).toMatchObject({ state: "failed", error: { code: found, final: true } });
    expect(told).toMatchObject([{ code: found }]);
    await expect(subscription.ready).rejects.toMatchObject({ code: found });
  });

  test("but another address is", async () => {
    const feed = await open({}, ["ws://a", "ws://b"]);
    Scripted.last.end(4503);
    await vi.advanceTimersByTimeAsync(100);
    expect(Scripted.all.map(({ url }) => new URL(url).host)).toEqual(["a", "b"]);
    Scripted.last.end(4503);
    expect(feed.status.state).toBe("failed");
  });

  test("a server that speaks something else", async () => {
    const feed = await open();
    Scripted.last.onopen?.();
    Scripted.last.onmessage?.({ data: "hello" });
    expect(feed.status).toMatchObject({ state: "failed", error: { code: "protocol" } });
  });

  test("a feed that has ended tells so whoever subscribes", async () => {
    const feed = await open();
    Scripted.last.end(4503);
    await expect(feed.subscribe("AAPL").ready).rejects.toMatchObject({ code: "forbidden" });
  });

  test.each([
    [() => connect("ftp://a"), "bad_url"],
    [() => connect([]), "bad_request"],
    [() => connect("ws://a", { maxRate: 1000 }), "bad_request"],
    [() => connect("ws://a", { transport: "carrier pigeon" as never }), "bad_request"],
  ])("%s throws at once", (attempt, code) => {
    expect(attempt).toThrowError(expect.objectContaining({ code, final: true }));
  });
});

describe("a token", () => {
  test("is shown as a subprotocol, and asked for before each connection", async () => {
    let count = 0;
    await open({ token: async () => `token-${++count}` });
    expect(Scripted.last.protocols).toEqual(["tickwire.v1", "bearer.token-1"]);
    Scripted.last.end(4401);
    await vi.advanceTimersByTimeAsync(100);
    expect(Scripted.last.protocols).toEqual(["tickwire.v1", "bearer.token-2"]);
  });

  test("that cannot stand in a subprotocol is shown by `auth`", async () => {
    await open({ token: "a/b=" });
    expect(Scripted.last.protocols).toEqual(["tickwire.v1"]);
    Scripted.last.welcome({ auth: "required" });
    expect(Scripted.last.said).toMatchObject([{ op: "auth", token: "a/b=" }]);
  });

  test("that expires is renewed on the same connection, and never recorded", async () => {
    let count = 0;
    const feed = await open({ token: () => `token-${++count}` });
    const frames: string[] = [];
    feed.on("frame", ({ text }) => frames.push(text));
    Scripted.last.welcome({ auth: "ok" });
    Scripted.last.hear({ op: "authorized", id: null, expires: 1, limits: {} });
    await settle();
    expect(Scripted.last.said).toMatchObject([{ op: "auth", token: "token-2" }]);
    expect(Scripted.all).toHaveLength(1);
    expect(frames.join()).toContain('"token":"…"');
    expect(frames.join()).not.toContain("token-2");
  });

  test("with a blank in it is refused here, without its letters", async () => {
    const feed = await open({ token: "se cret" });
    expect(Scripted.all).toHaveLength(0);
    expect(feed.status.error).toMatchObject({ code: "token_refused" });
    expect(feed.status.error?.message).not.toContain("cret");
  });

  test("that nobody has where one is asked for", async () => {
    const feed = await open();
    Scripted.last.welcome({ auth: "required" });
    expect(feed.status).toMatchObject({ state: "failed", error: { code: "token_required" } });
  });

  test("whose function fails is asked for again", async () => {
    let count = 0;
    const feed = await open({
      token: () => {
        if (++count < 3) throw new Error("the service is away");
        return "t";
      },
    });
    expect(feed.status.error).toMatchObject({ code: "unreachable", final: false });
    await vi.advanceTimersByTimeAsync(1000);
    expect(Scripted.all).toHaveLength(1);
  });
});

describe("the status", () => {
  test("changes at most four times a second, but at once with its state", async () => {
    const { feed } = await standing();
    const told: Status[] = [];
    feed.on("status", (status) => told.push(status));
    for (let seq = 2; seq < 1002; seq++) {
      Scripted.last.ticks("AAPL", seq);
      await vi.advanceTimersByTimeAsync(1);
    }
    expect(told.length).toBeLessThanOrEqual(5);
    const before = told.length;
    Scripted.last.hear({ op: "status", feed: "stale", shard: "main", since: 1 });
    expect(told.slice(before)).toMatchObject([{ state: "stale", ticks: 1001 }]);
    expect(new Set(told).size).toBe(told.length);
    expect(feed.status).toBe(told.at(-1));
  });

  test("is `closed` after close, and nothing is left to do", async () => {
    const { feed, subscription } = await standing();
    const { last } = Scripted;
    const loop = subscription[Symbol.asyncIterator]();
    const ended = loop.next();
    feed.close();
    expect([last.closed, feed.status.state, feed.status.error]).toEqual([true, "closed", null]);
    expect(await ended).toEqual({ done: true, value: undefined });
    expect(vi.getTimerCount()).toBe(0);
  });
});

test("a gap is told to its subscriptions and to the feed", async () => {
  const feed = await open();
  const told: unknown[] = [];
  feed.on("gap", (gap) => told.push(gap));
  feed.subscribe("AAPL", undefined, { onGap: (gap) => told.push(gap) });
  Scripted.last.welcome();
  await settle();
  Scripted.last.accept();
  Scripted.last.snapshot("AAPL", 1);
  Scripted.last.hear({ op: "gap", symbol: "AAPL", epoch: 1, from: 2, to: 5, reason: "lost" });
  const gap = { symbol: "AAPL", epoch: 1, from: 2, to: 5, reason: "lost", final: true };
  expect(told).toEqual([gap, gap]);
  expect(feed.account("AAPL").missing).toBe(4);
});
