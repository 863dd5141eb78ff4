/** The small pure parts. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { address } from "../../src/address.js";
import { Allowance } from "../../src/allowance.js";
import { BASE_MS, Backoff, CAP_MS, TOLD_CAP_MS } from "../../src/backoff.js";
import { Clock, KEPT } from "../../src/clock.js";
import { refusal, rejection } from "../../src/closing.js";
import { begun, carried } from "../../src/day.js";
import { Latencies, WINDOW } from "../../src/latencies.js";
import { numberOf, symbolsOf } from "../../src/request.js";
import { Route } from "../../src/route.js";
import type { Tick } from "../../src/types.js";

describe("an address", () => {
  test.each([
    ["wss://a.example/v1/stream", "wss://a.example/v1/stream"],
    ["https://a.example", "wss://a.example/v1/stream"],
    ["http://a.example:8080/", "ws://a.example:8080/v1/stream"],
    ["localhost:8080", "ws://localhost:8080/v1/stream"],
    ["a.example", "wss://a.example/v1/stream"],
    ["wss://a.example/tick/v1/stream?ticket=x#y", "wss://a.example/tick/v1/stream?ticket=x"],
  ])("%s is %s", (given, found) => {
    expect(address(given)).toBe(found);
  });

  test("in a page may be relative", () => {
    expect(address("/v1/stream", "https://a.example/watch")).toBe("wss://a.example/v1/stream");
  });

  test.each(["", "ftp://a.example", "ws://", "/v1/stream", "javascript:alert(1)"])("%j is none", (given) => {
    expect(() => address(given)).toThrowError(expect.objectContaining({ code: "bad_url", final: true }));
  });

  test("that is none is shown without its query", () => {
    expect(() => address("ftp://a.example/?ticket=secret")).toThrowError(/^(?!.*secret)/);
  });
});

describe("the allowance", () => {
  test("never lets more through than 80 % of burst and rate", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 200 }), (steps) => {
        const allowance = new Allowance(50, 100, 0);
        let now = 0;
        let sent = 0;
        for (const step of steps) {
          now += step;
          while (allowance.ready(now)) {
            allowance.spend(1);
            sent++;
          }
        }
        expect(sent).toBeLessThanOrEqual(80 + (now / 1000) * 40);
      }),
    );
  });

  test("says when the next command may be sent", () => {
    const allowance = new Allowance(10, 1, 0);
    allowance.spend(1);
    const due = allowance.due(0);
    expect(allowance.ready(due - 1)).toBe(false);
    expect(allowance.ready(due + 0.001)).toBe(true);
  });
});

describe("the wait before the next connection", () => {
  test("doubles from 0.1 s to 10 s, and is short again after a success", () => {
    const backoff = new Backoff(() => 1);
    const waits = Array.from({ length: 10 }, () => backoff.wait(0, 0));
    expect(waits.slice(0, 3)).toEqual([BASE_MS, 2 * BASE_MS, 4 * BASE_MS]);
    expect(waits.at(-1)).toBe(CAP_MS);
    backoff.succeeded();
    expect(backoff.wait(0, 0)).toBe(BASE_MS);
  });

  test("is what `reconnect` told, or a random time after Retry-After, and never for ever", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.integer(), fc.integer(), (random, told, busy) => {
        const wait = new Backoff(() => random).wait(told, busy);
        if (told > 0) expect(wait).toBe(Math.min(told, TOLD_CAP_MS));
        else expect(wait).toBeLessThanOrEqual(TOLD_CAP_MS + BASE_MS);
        if (told <= 0 && busy > 0) expect(wait).toBeGreaterThanOrEqual(Math.min(busy, TOLD_CAP_MS));
      }),
    );
  });
});

describe("the clock", () => {
  test("believes the sample with the shortest round trip, and half of that bounds its error", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -1e6, max: 1e6 }),
        fc.array(fc.tuple(fc.nat(500), fc.nat(500)), { minLength: 1, maxLength: 3 * KEPT }),
        (offset, trips) => {
          const clock = new Clock();
          trips.forEach(([there, back], n) => {
            const sent = n * 1000;
            clock.add(sent, sent + there + offset, sent + there + back);
          });
          const best = Math.min(...trips.slice(-KEPT).map(([there, back]) => there + back));
          expect(clock.roundTrip).toBe(best);
          expect(Math.abs((clock.offset as number) - offset)).toBeLessThanOrEqual(best / 2);
        },
      ),
    );
  });
});

test("latencies are of the last ticks, by nearest rank", () => {
  const latencies = new Latencies();
  expect(latencies.percentiles).toBeNull();
  latencies.add(Number.NaN);
  for (let n = 0; n < WINDOW; n++) latencies.add(1e9);
  for (let n = 1; n <= WINDOW; n++) latencies.add(n);
  expect(latencies.percentiles).toEqual({ p50: WINDOW / 2, p99: Math.ceil(WINDOW * 0.99) });
});

describe("the end of a connection", () => {
  test.each([
    [4501, true, false, "token_refused"],
    [4501, false, false, "token_required"],
    [4401, true, false, "token_refused"],
    [4401, true, true, undefined],
    [4503, false, false, "forbidden"],
    [1008, false, false, "forbidden"],
    [1009, false, false, "protocol"],
    [4599, false, false, "protocol"],
    [1000, false, false, undefined],
    [1006, false, false, undefined],
    [1011, false, false, undefined],
    [1012, false, false, undefined],
    [1013, false, false, undefined],
    [4408, false, false, undefined],
    [4429, false, false, undefined],
  ])("with %i (token %s, renewable %s) is %s", (code, token, renewable, found) => {
    expect(refusal({ code, reason: "words" }, token, renewable)?.code).toBe(found);
  });

  test.each([
    ["unknown_symbol", "unknown_symbol"],
    ["not_entitled", "not_entitled"],
    ["delayed_unavailable", "not_entitled"],
    ["too_many_symbols", "too_many"],
    ["bad_symbol", "bad_request"],
  ])("of a symbol because of %s is %s", (reason, code) => {
    expect(rejection("ZZZZ", reason)).toMatchObject({ code, symbol: "ZZZZ", final: true });
  });
});

describe("a request", () => {
  test.each([[[]], [["aapl"]], [["*"]], [""], [["AAPL", "A B"]]])("for %j is none", (given) => {
    expect(() => symbolsOf(given)).toThrowError(expect.objectContaining({ code: "bad_request" }));
  });

  test("names each symbol once", () => {
    expect(symbolsOf(["AAPL", "BRK.B", "AAPL"])).toEqual(["AAPL", "BRK.B"]);
  });

  test.each([0, 101, Number.NaN, -1])("for %d ticks a second is none", (rate) => {
    expect(() => numberOf("maxRate", rate, 0.1, 100)).toThrowError(/maxRate is .*0\.1 to 100/);
  });
});

describe("the route", () => {
  test("takes addresses in turn", () => {
    const route = new Route(["a", "b"], "websocket");
    const taken = Array.from({ length: 4 }, () => {
      const { url } = route;
      route.ended();
      return url;
    });
    expect(taken).toEqual(["a", "b", "a", "b"]);
  });

  test("tries server-sent events after two WebSockets that never opened, then each in turn", () => {
    const route = new Route(["a"], undefined);
    const taken = Array.from({ length: 6 }, () => {
      const { transport } = route;
      route.ended();
      return transport;
    });
    expect(taken).toEqual(["websocket", "websocket", "sse", "websocket", "sse", "websocket"]);
  });

  test("goes back to server-sent events first where these served, and never again once a WebSocket opened", () => {
    const route = new Route(["a"], undefined);
    route.ended();
    route.ended();
    route.opened("sse");
    route.ended();
    expect([route.transport, route.provisional]).toEqual(["sse", true]);
    route.opened("websocket");
    for (let n = 0; n < 5; n++) route.ended();
    expect([route.transport, route.provisional]).toEqual(["websocket", false]);
  });

  test("leaves out an address that refuses", () => {
    const route = new Route(["a", "b"], undefined);
    expect(route.refused()).toBe(true);
    expect(route.url).toBe("b");
    expect(route.refused()).toBe(false);
  });
});

describe("the day", () => {
  const said = {
    session: "open",
    previous_close: 100,
    epoch: 1,
    seq: 5,
    open: 100,
    high: 103,
    low: 99,
    volume: 50,
  } as const;
  const tick = (seq: number, price: number, size: number, volume: number) =>
    ({ symbol: "A", epoch: 1, seq, price, size, volume }) as Tick;

  test("does not count a tick that the gateway's figures hold already", () => {
    const day = carried(begun("A", said), tick(5, 110, 10, 50));
    expect(day).toMatchObject({ high: 103, volume: 50, last: 110, change: 10, change_percent: 10 });
  });

  test("is carried on by trades, and by quotes only as to the last price", () => {
    let day = carried(begun("A", said), tick(6, 98, 10, 60));
    day = carried(day, tick(7, 120, 0, 60));
    expect(day).toMatchObject({ open: 100, high: 103, low: 98, last: 120, volume: 60 });
  });

  test("begins anew with a smaller volume", () => {
    let day = carried(begun("A", said), tick(6, 102, 10, 60));
    day = carried(day, tick(7, 101, 5, 5));
    expect(day).toMatchObject({ previous_close: 102, open: 101, high: 101, low: 101, volume: 5, change: -1 });
  });

  test("is known as far as it is known", () => {
    const none = { ...said, epoch: null, seq: null, open: null, high: null, low: null, volume: null };
    expect(begun("A", none)).toMatchObject({ previous_close: 100, open: null, last: null, change: null });
    expect(carried(begun("A", none), tick(1, 7, 1, 1))).toMatchObject({ open: 7, high: 7, low: 7, volume: 1 });
  });
});
