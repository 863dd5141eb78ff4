// Feeds of the built package, reported as JSON lines: whatever they said and heard, and every tick that came of it.
//
//   node reporter.mjs '[{"urls": ["ws://…"], "symbols": ["AAPL"], "options": {}}]'
//
// Lines: [feed, "at", url] before each attempt to connect, [feed, "in" | "out", text],
// [feed, "tick", symbol, epoch, seq, skipped, snapshot], [feed, "gap", gap], [feed, "epoch", change],
// [feed, "violation", violation], [feed, "state", state, transport],
// [feed, "error", code, message].  A line on standard input asks for [feed, "account", accounts, status] of each.
import { createInterface } from "node:readline";
import { connect } from "../dist/index.js";

const WebSocket = globalThis.WebSocket ?? (await import("ws")).WebSocket;

/** Lines that wait for the end of this turn: one write for all ticks of a frame. */
let lines = [];

function tell(...words) {
  if (!lines.length) setImmediate(write);
  lines.push(JSON.stringify(words));
}

function write() {
  process.stdout.write(`${lines.join("\n")}\n`);
  lines = [];
}

const feeds = JSON.parse(process.argv[2]).map(({ urls, symbols, options }, number) => {
  class Told extends WebSocket {
    constructor(url, protocols) {
      super(url, protocols);
      tell(number, "at", url);
    }
  }
  const feed = connect(urls, { WebSocket: Told, ...options });
  feed.on("frame", ({ direction, text }) => tell(number, direction, text));
  feed.on("gap", (gap) => tell(number, "gap", gap));
  feed.on("epoch", (change) => tell(number, "epoch", change));
  feed.on("violation", (violation) => tell(number, "violation", violation));
  feed.on("error", (error) => tell(number, "error", error.code, error.message));
  let shown = "";
  feed.on("status", ({ state, transport }) => {
    if (shown !== state) tell(number, "state", state, transport);
    shown = state;
  });
  feed.subscribe(symbols, ({ symbol, epoch, seq, skipped = 0, snapshot = false }) => {
    tell(number, "tick", symbol, epoch, seq, skipped, snapshot);
  });
  return { feed, symbols };
});

for await (const _ of createInterface({ input: process.stdin })) {
  for (const [number, { feed, symbols }] of feeds.entries()) {
    tell(number, "account", Object.fromEntries(symbols.map((symbol) => [symbol, feed.account(symbol)])), feed.status);
  }
}
for (const { feed } of feeds) feed.close();
