/** What is said to a gateway and what its frames mean, without a socket. */
import { describe, expect, test } from "vitest";
import { Conversation, FIRST_PINGS, type Told } from "../../src/conversation.js";
import { TickwireError } from "../../src/errors.js";
import type { Tick } from "../../src/types.js";
import type { Listening } from "../../src/wish.js";

const LIMITS = { symbols: 10, message_bytes: 65_536, commands_per_s: 50, command_burst: 100 };

class Talk implements Told {
  readonly events: unknown[][] = [];
  readonly ticks: Tick[] = [];
  readonly conversation = new Conversation(this);
  now = 0;

  tick(_: unknown, tick: Tick) {
    this.ticks.push(tick);
  }
  updated(series: { key: string }, candles: readonly unknown[], reset: boolean) {
    this.events.push(["candles", series.key, candles.length, reset]);
  }
  event(name: string, value: object) {
    this.events.push([name, value]);
  }
  served(wish: { key: string }) {
    this.events.push(["served", wish.key]);
  }
  rejected(wish: { key: string }, reason: string) {
    this.events.push(["rejected", wish.key, reason]);
  }
  token(required: boolean) {
    this.events.push(["token", required]);
  }

  welcomed(more: object = {}): this {
    this.conversation.connected();
    this.hear({ op: "welcome", protocol: 1, feed: "live", auth: "none", limits: LIMITS, ...more });
    return this;
  }
  hear(frame: object, wall = 0): void {
    this.conversation.take(JSON.stringify(frame), this.now, wall);
  }
  /** What is said now, without pings. */
  said(): Record<string, unknown>[] {
    const texts = this.conversation.commands(this.now, 0).map((text) => JSON.parse(text));
    return texts.filter(({ op }) => op !== "ping");
  }
  want(symbol: string, line: Listening = {}): Listening {
    const follow = this.conversation.follow(symbol, true, undefined);
    follow.lines.add(line);
    this.conversation.wishes.changed(follow);
    return line;
  }
  leave(symbol: string, line: Listening): void {
    const follow = this.conversation.wishes.follow(symbol);
    follow?.lines.delete(line);
    if (follow) this.conversation.wishes.changed(follow);
  }
  accept(command: Record<string, unknown>, position: object = { epoch: null, seq: null }): void {
    const symbols = Object.fromEntries((command.symbols as string[]).map((symbol) => [symbol, position]));
    this.hear({ op: "subscribed", id: command.id, symbols, rejected: {}, pending: 0 });
  }
}

const raw = (symbol: string, seq: number, more: object = {}) => ({ symbol, seq, ts: 1_000_000, volume: 1, ...more });

describe("subscribing", () => {
  test("waits for the welcome, and then says all symbols in one command", () => {
    const talk = new Talk();
    talk.want("AAPL");
    talk.want("MSFT");
    expect(talk.said()).toEqual([]);
    talk.welcomed();
    expect(talk.said()).toMatchObject([{ op: "subscribe", symbols: ["AAPL", "MSFT"] }]);
    expect(talk.said()).toEqual([]);
  });

  test("says one command per rate, and asks for the fastest of a symbol", () => {
    const talk = new Talk().welcomed();
    talk.want("AAPL", { rate: 2 });
    talk.want("AAPL", { rate: 5 });
    talk.want("MSFT", { rate: 2 });
    talk.want("TSLA", { rate: 2 });
    talk.want("TSLA");
    expect(talk.said()).toMatchObject([
      { symbols: ["AAPL"], max_rate: 5 },
      { symbols: ["MSFT"], max_rate: 2 },
      { symbols: ["TSLA"] },
    ]);
  });

  test("asks for another rate when the fastest listener leaves", () => {
    const talk = new Talk().welcomed();
    talk.want("AAPL", { rate: 2 });
    const fast = talk.want("AAPL", {});
    talk.accept(talk.said()[0] as never);
    talk.leave("AAPL", fast);
    expect(talk.said()).toMatchObject([{ op: "subscribe", symbols: ["AAPL"], max_rate: 2 }]);
  });

  test("says nothing of a listener that came and went in one go", () => {
    const talk = new Talk().welcomed();
    talk.leave("AAPL", talk.want("AAPL"));
    expect(talk.said()).toEqual([]);
  });

  test("ends what nobody listens to, and begins it again only after that is answered", () => {
    const talk = new Talk().welcomed();
    const line = talk.want("AAPL");
    talk.accept(talk.said()[0] as never);
    talk.hear({ op: "snapshot", epoch: 1, data: [raw("AAPL", 7)], none: {} });
    talk.leave("AAPL", line);
    const [end] = talk.said();
    expect(end).toMatchObject({ op: "unsubscribe", symbols: ["AAPL"] });
    talk.want("AAPL");
    expect(talk.said()).toEqual([]);
    talk.hear({ op: "unsubscribed", id: end?.id, symbols: ["AAPL"], reason: null });
    expect(talk.said()).toMatchObject([{ op: "subscribe", resume: { AAPL: { epoch: 1, seq: 7 } } }]);
  });

  test("resumes every symbol at its cursor on the next connection", () => {
    const talk = new Talk().welcomed();
    talk.want("AAPL");
    talk.want("MSFT");
    talk.accept(talk.said()[0] as never);
    talk.hear({ op: "snapshot", epoch: 1, data: [raw("AAPL", 7)], none: { MSFT: "never_traded" } });
    talk.hear({ op: "ticks", sent: 1, data: [raw("AAPL", 8)] });
    talk.conversation.disconnected();
    talk.welcomed();
    expect(talk.said()).toMatchObject([{ symbols: ["AAPL", "MSFT"], resume: { AAPL: { epoch: 1, seq: 8 } } }]);
  });

  test("splits what does not fit into one message", () => {
    const talk = new Talk().welcomed({ limits: { ...LIMITS, symbols: 1000, message_bytes: 1000 } });
    for (let n = 0; n < 30; n++) talk.want(`SYMBOL-OF-16-${100 + n}`);
    const texts = talk.conversation.commands(0, 0);
    const named = texts.flatMap((text) => JSON.parse(text).symbols ?? []);
    expect(Math.max(...texts.map((text) => text.length))).toBeLessThan(1000);
    expect(named.length).toBe(30);
  });

  test("keeps to 80 % of the commands that the gateway allows", () => {
    const talk = new Talk().welcomed({ limits: { ...LIMITS, commands_per_s: 10, command_burst: 10, symbols: 1000 } });
    for (let n = 0; n < 50; n++) talk.want(`S${n}`, { rate: 1 + n / 10 });
    expect(talk.conversation.commands(0, 0).length).toBe(8);
    expect(talk.conversation.due(0)).toBeCloseTo(125);
    expect(talk.conversation.commands(1000, 0).length).toBe(8);
  });
});

describe("a symbol that is not served", () => {
  test("is given up where the gateway does not know it, and asked for again where the feed is away", () => {
    const talk = new Talk().welcomed();
    talk.want("ZZZZ");
    talk.want("AAPL");
    const [command] = talk.said();
    const rejected = { ZZZZ: "unknown_symbol", AAPL: "feed_unavailable" };
    talk.hear({ op: "subscribed", id: command?.id, symbols: {}, rejected, pending: 0 });
    expect(talk.events).toContainEqual(["rejected", "ZZZZ", "unknown_symbol"]);
    expect(talk.said()).toEqual([]);
    talk.now = 5000;
    expect(talk.said()).toMatchObject([{ symbols: ["AAPL"] }]);
  });

  test("that was served before is asked for again: a directory may change", () => {
    const talk = new Talk().welcomed();
    talk.want("AAPL");
    talk.accept(talk.said()[0] as never);
    talk.hear({ op: "snapshot", epoch: 1, data: [raw("AAPL", 7)], none: {} });
    talk.hear({ op: "unsubscribed", id: null, symbols: ["AAPL"], reason: "delisted" });
    expect(talk.said()).toEqual([]);
    talk.now = 5000;
    expect(talk.said()).toMatchObject([{ symbols: ["AAPL"], resume: { AAPL: { epoch: 1, seq: 7 } } }]);
  });

  test("is given up where the token does not allow it any more", () => {
    const talk = new Talk().welcomed();
    talk.want("AAPL");
    talk.accept(talk.said()[0] as never);
    talk.hear({ op: "unsubscribed", id: null, symbols: ["AAPL"], reason: "not_entitled" });
    expect(talk.events).toContainEqual(["rejected", "AAPL", "not_entitled"]);
  });

  test("is one too many where a connection may follow fewer", () => {
    const talk = new Talk().welcomed();
    for (let n = 0; n < 12; n++) talk.want(`S${n}`);
    expect(talk.said()[0]?.symbols).toHaveLength(10);
    expect(talk.events).toEqual([
      ["rejected", "S10", "too_many_symbols"],
      ["rejected", "S11", "too_many_symbols"],
    ]);
  });

  test("because the whole command was refused is given up with its reason", () => {
    const talk = new Talk().welcomed();
    talk.want("AAPL");
    const [command] = talk.said();
    talk.hear({ op: "error", id: command?.id, code: "too_many_symbols", message: "words" });
    expect(talk.events).toEqual([["rejected", "AAPL", "too_many_symbols"]]);
  });
});

describe("frames", () => {
  test.each([
    ["no JSON", "nonsense"],
    ["another protocol", JSON.stringify({ op: "welcome", protocol: 2 })],
    ["no welcome first", JSON.stringify({ op: "ticks", data: [] })],
    ["null", "null"],
  ])("that are %s are a protocol error", (_, text) => {
    const talk = new Talk();
    talk.conversation.connected();
    expect(() => talk.conversation.take(text, 0, 0)).toThrowError(
      expect.objectContaining({ code: "protocol", final: true }),
    );
  });

  test("of a later gateway are ignored", () => {
    new Talk().welcomed().hear({ op: "surprise", data: 1 });
  });

  test("that break the table of cursors are told, counted, and got over", () => {
    const talk = new Talk().welcomed();
    talk.want("AAPL");
    talk.accept(talk.said()[0] as never);
    talk.hear({ op: "snapshot", epoch: 1, data: [raw("AAPL", 7)], none: {} });
    talk.hear({ op: "ticks", data: [raw("AAPL", 9), raw("AAPL", 10)] });
    expect(talk.events).toContainEqual(["violation", { symbol: "AAPL", op: "ticks", detail: "seq 9" }]);
    expect(talk.conversation.violations).toBe(1);
    expect(talk.ticks.map(({ seq }) => seq)).toEqual([7, 9, 10]);
    expect(talk.conversation.totals).toMatchObject({ delivered: 3, unexplained: 1 });
  });

  test("of `status` say by shard whether the feed is live", () => {
    const talk = new Talk().welcomed({ feed: "stale" });
    expect(talk.conversation.live).toBe(false);
    talk.hear({ op: "status", feed: "live", shard: "main" });
    expect(talk.conversation.live).toBe(true);
    talk.hear({ op: "status", feed: "stale", shard: "asia" });
    expect(talk.conversation.live).toBe(false);
  });

  test("of ping and pong measure the clocks, and from then on latencies", () => {
    const talk = new Talk().welcomed();
    talk.want("AAPL");
    const commands = talk.conversation.commands(0, 5000).map((text) => JSON.parse(text));
    talk.accept(commands[0]);
    talk.hear({ op: "snapshot", epoch: 1, data: [raw("AAPL", 1)], none: {} }, 5000);
    expect(talk.ticks[0]?.latency).toBeNaN();
    const ping = commands.find(({ op }) => op === "ping");
    talk.hear({ op: "pong", id: ping.id, server_time: 7_005_000 }, 5010);
    expect([talk.conversation.clock.offset, talk.conversation.clock.roundTrip]).toEqual([2000, 10]);
    talk.hear({ op: "ticks", data: [raw("AAPL", 2, { ts: 7_100_000 })] }, 5110);
    expect(talk.ticks[1]).toMatchObject({ received: 5110, latency: 10 });
    expect(talk.conversation.latencies.percentiles).toEqual({ p50: 10, p99: 10 });
  });

  test("of ping are sent often at first and then rarely", () => {
    const talk = new Talk().welcomed();
    let pings = 0;
    for (talk.now = 0; talk.now < 20_000; talk.now += 50) pings += talk.conversation.commands(talk.now, 0).length;
    expect(pings).toBe(FIRST_PINGS);
  });
});

describe("a token", () => {
  test("is shown before anything else where the gateway asks for it", () => {
    const talk = new Talk();
    talk.want("AAPL");
    talk.welcomed({ auth: "required" });
    expect(talk.events).toEqual([["token", true]]);
    expect(talk.said()).toEqual([]);
    talk.conversation.authorize("secret");
    const [auth] = talk.said();
    expect(auth).toMatchObject({ op: "auth", token: "secret" });
    talk.hear({ op: "authorized", id: auth?.id, expires: null, limits: LIMITS });
    expect(talk.said()).toMatchObject([{ op: "subscribe" }]);
  });

  test("that expires is asked for, and shown on the same connection", () => {
    const talk = new Talk().welcomed({ auth: "ok" });
    talk.hear({ op: "authorized", id: null, expires: 1, limits: LIMITS });
    expect(talk.events).toEqual([["token", false]]);
    talk.conversation.authorize("next");
    expect(talk.said()).toMatchObject([{ op: "auth", token: "next" }]);
  });

  test("that is refused later is an error that ends nothing", () => {
    const talk = new Talk().welcomed({ auth: "ok" });
    talk.hear({ op: "error", id: 9, code: "token_refused", message: "words" });
    const [, error] = talk.events[0] as [string, TickwireError];
    expect(error).toBeInstanceOf(TickwireError);
    expect([error.code, error.final]).toEqual(["token_refused", false]);
  });
});

describe("candles", () => {
  test("are asked for beside ticks of the symbol, and ended by themselves", () => {
    const talk = new Talk().welcomed();
    const line = {};
    talk.want("AAPL");
    const series = talk.conversation.series("AAPL", "1m", 300);
    series.lines.add(line);
    talk.conversation.wishes.changed(series);
    const said = talk.said();
    expect(said).toMatchObject([{ symbols: ["AAPL"] }, { symbols: ["AAPL"], candles: "1m", history: 300 }]);
    for (const command of said) talk.accept(command);
    const candle = { start: 60, epoch: 1, open: 1, high: 1, low: 1, close: 1, volume: 1, trades: 1 };
    talk.hear({ op: "candles", symbol: "AAPL", interval: "1m", reset: true, data: [candle] });
    talk.hear({ op: "candles", symbol: "AAPL", interval: "1m", data: [candle, { ...candle, start: 120 }] });
    expect(talk.events).toContainEqual(["candles", "AAPL/1m", 1, true]);
    expect(talk.events).toContainEqual(["candles", "AAPL/1m", 2, false]);
    expect(series.candles.map(({ start }) => start)).toEqual([60, 120]);
    series.lines.delete(line);
    talk.conversation.wishes.changed(series);
    expect(talk.said()).toMatchObject([{ op: "unsubscribe", symbols: ["AAPL"], candles: "1m" }]);
  });
});
