/** Server-sent events without a socket: the event id, the format, and what the desk makes of both. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Desk } from "../../src/sse/desk.js";
import { eventId } from "../../src/sse/eventid.js";
import { EventReader } from "../../src/sse/events.js";

describe("the event id", () => {
  test("is the one of the specification's example", () => {
    const positions = new Map([
      ["AAPL", { epoch: 1_795_000_000_000, seq: 1041 }],
      ["MSFT", { epoch: 1_795_000_000_000, seq: 220 }],
    ]);
    expect(eventId(["AAPL", "MSFT"], positions)).toBe("1WAhNWwGAvNnynjSSCN0B");
  });

  test("says that there is no position, and which of several epochs", () => {
    const positions = new Map([
      ["A", { epoch: 5, seq: 1 }],
      ["B", null],
      ["C", { epoch: 7, seq: 200 }],
    ]);
    const bytes = Buffer.from(eventId(["A", "B", "C"], positions).slice(1), "base64url");
    expect([...bytes.subarray(4)]).toEqual([2, 5, 2, 2, 0, 0, 201, 1, 1]);
  });
});

describe("the format of server-sent events", () => {
  test("is read whatever its line ends are", () => {
    for (const end of ["\n", "\r\n", "\r"]) {
      const text = [": hello", "retry: 5", "event: ticks", "id: 1", "data: [1]", "data:[2]", "", "data: x", "", ""];
      expect(new EventReader().take(text.join(end) + (end === "\r" ? "\n" : ""))).toEqual([
        null,
        { event: "ticks", data: "[1]\n[2]" },
        { event: "message", data: "x" },
      ]);
    }
  });

  test("is the same however it is cut into pieces", () => {
    const text = 'event: ticks\r\nid: 1\r\ndata: [{"seq":1}]\r\n\r\n: keep-alive\n\nevent: gap\ndata: {}\n\n';
    const whole = new EventReader().take(text);
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 10 }), (cuts) => {
        const reader = new EventReader();
        const at = [0, ...cuts.sort((one, other) => one - other), text.length];
        expect(at.slice(1).flatMap((end, index) => reader.take(text.slice(at[index], end)))).toEqual(whole);
      }),
    );
  });

  test("has no event of more than 1 MiB", () => {
    expect(() => new EventReader().take("x".repeat(1_048_577))).toThrow(RangeError);
  });
});

const subscribe = (id: number, symbols: string[], more: object = {}) => ({ op: "subscribe", id, symbols, ...more });
const none = { epoch: null, seq: null };

describe("the desk", () => {
  test("asks for one stream of all symbols, at the fastest rate", () => {
    const desk = new Desk();
    desk.command(subscribe(1, ["MSFT"], { max_rate: 2 }));
    desk.command(subscribe(2, ["AAPL"], { max_rate: 5 }));
    expect(desk.query).toBe("symbols=AAPL,MSFT&max_rate=5");
    desk.command(subscribe(3, ["TSLA"]));
    expect(desk.query).toBe("symbols=AAPL,MSFT,TSLA");
  });

  test("answers each command once the stream has said so", () => {
    const desk = new Desk();
    desk.command(subscribe(1, ["AAPL"]));
    desk.command(subscribe(2, ["ZZZZ", "MSFT"]));
    desk.opening();
    const said = { op: "subscribed", id: 1, symbols: { AAPL: none, MSFT: none }, rejected: { ZZZZ: "unknown_symbol" } };
    expect(desk.event("subscribed", JSON.stringify(said))).toEqual([
      { op: "subscribed", id: 2, pending: 1, symbols: {}, rejected: { ZZZZ: "unknown_symbol" } },
      { op: "subscribed", id: 1, pending: 0, symbols: { AAPL: none } },
      { op: "subscribed", id: 2, pending: 0, symbols: { MSFT: none } },
    ]);
    expect(desk.query).toBe("symbols=AAPL,MSFT");
  });

  test("goes on where the stream stood when another symbol is followed, too", () => {
    const desk = new Desk();
    desk.command(subscribe(1, ["AAPL"]));
    desk.opening();
    desk.event("subscribed", JSON.stringify({ symbols: { AAPL: none } }));
    desk.event("snapshot", JSON.stringify({ op: "snapshot", epoch: 5, data: [{ symbol: "AAPL", seq: 7 }] }));
    expect(desk.event("ticks", '[{"symbol":"AAPL","seq":8}]')).toEqual([
      { op: "ticks", data: [{ symbol: "AAPL", seq: 8 }] },
    ]);
    expect(desk.changed).toBe(false);
    desk.command(subscribe(2, ["MSFT"]));
    expect(desk.changed).toBe(true);
    const positions = new Map([
      ["AAPL", { epoch: 5, seq: 8 }],
      ["MSFT", null],
    ]);
    expect(desk.opening()).toEqual({ query: "symbols=AAPL,MSFT", id: eventId(["AAPL", "MSFT"], positions) });
  });

  test("ends a stream that does not go on where it stood", () => {
    const desk = new Desk();
    desk.command(subscribe(1, ["AAPL"], { resume: { AAPL: { epoch: 5, seq: 7 } } }));
    desk.opening();
    desk.event("subscribed", JSON.stringify({ symbols: { AAPL: { epoch: 5, seq: 7 } } }));
    expect(desk.event("subscribed", JSON.stringify({ symbols: { AAPL: none } }))).toMatchObject({ code: 1006 });
  });

  test.each([
    ["gap", { op: "gap", symbol: "AAPL", epoch: 5, from: 8, to: 9 }, { epoch: 5, seq: 9 }],
    ["gap", { op: "gap", symbol: "AAPL", epoch: 5, from: 8, to: null }, null],
    ["epoch", { op: "epoch", symbol: "AAPL", epoch: 6 }, { epoch: 6, seq: 0 }],
  ])("lets %s %j move it to %j", (event, said, position) => {
    const desk = new Desk();
    desk.command(subscribe(1, ["AAPL"], { resume: { AAPL: { epoch: 5, seq: 7 } } }));
    expect(desk.event(event, JSON.stringify(said))).toEqual([said]);
    expect(desk.opening().id).toBe(eventId(["AAPL"], new Map([["AAPL", position]])));
  });

  test.each([
    [401, { type: "/docs#no_token" }, 0, 4501],
    [401, { type: "/docs#token_expired" }, 0, 4401],
    [403, { type: "/docs#origin" }, 0, 4503],
    [400, { type: "/docs#bad_parameter" }, 0, 1002],
    [503, { type: "/docs#busy" }, 7, 1013],
    [429, undefined, 2, 1013],
    [404, undefined, 0, 1013], // no gateway said so
  ])("takes HTTP %i %j for a close", (status, problem, after, code) => {
    expect(new Desk().refused(status, problem, after, false)).toMatchObject({ code });
  });

  test("waits as long as Retry-After says", () => {
    expect(new Desk().refused(503, undefined, 7, true)).toMatchObject({ code: 1013, after: 7000 });
  });

  test("takes a 404 about all symbols for their rejection, and stays", () => {
    const desk = new Desk();
    desk.command(subscribe(1, ["ZZZZ"]));
    const problem = { type: "/docs#unknown_symbol", symbols: ["ZZZZ"] };
    expect(desk.refused(404, problem, 0, false)).toMatchObject([{ id: 1, rejected: { ZZZZ: "unknown_symbol" } }]);
    expect(desk.query).toBe("");
  });

  test("polls candles: all of them first, then the last ones, and all again after a pause", () => {
    const desk = new Desk();
    desk.command(subscribe(1, ["AAPL"], { candles: "1m", history: 200 }));
    const [polled] = [...desk.polled.values()];
    if (!polled) throw new Error("nothing is polled");
    expect(desk.candlesQuery(polled, 0)).toBe("interval=1m&limit=200");
    expect(desk.candles(polled, 200, { candles: [1] }, 0)).toMatchObject([{ id: 1 }, { reset: true, data: [1] }]);
    expect(desk.candlesQuery(polled, 2000)).toBe("interval=1m&limit=5");
    expect(desk.candles(polled, 200, { candles: [2] }, 2000)).toMatchObject([{ reset: false, data: [2] }]);
    expect(desk.candlesQuery(polled, 9000)).toBe("interval=1m&limit=200");
    expect(desk.candles(polled, 503, undefined, 9000)).toEqual([]);
    const problem = { type: "/docs#unknown_symbol" };
    expect(desk.candles(polled, 404, problem, 9000)).toMatchObject([{ rejected: { AAPL: "unknown_symbol" } }]);
    expect(desk.polled.size).toBe(0);
  });
});
