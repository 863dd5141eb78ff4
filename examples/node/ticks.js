// Prints a symbol's ticks, follows the feed over one lost connection, and ends 5 ticks later.
//
//     node ticks.js [URL [SYMBOL]]

import { connect } from "tickwire-client";
import WebSocket from "ws"; // Node 22 has one of its own

const AFTER = 5;
const [url = "http://localhost:8080", symbol = "AAPL"] = process.argv.slice(2);
const feed = connect(url, { token: process.env.TICKWIRE_TOKEN, WebSocket });

let state;
feed.on("status", (status) => {
  if (status.state !== state) console.log(`-- ${status.state}`);
  state = status.state;
});
feed.on("gap", ({ epoch, from, to, reason }) => console.log(`-- not coming: ${epoch}-${from} to ${to ?? "?"}, ${reason}`));

try {
  let left = AFTER;
  for await (const { price, epoch, seq } of feed.subscribe(symbol)) {
    console.log(`${symbol} ${price} (${epoch}-${seq})`);
    if (feed.status.reconnects > 0 && --left === 0) break;
  }
  const { delivered, missing, unexplained } = feed.account(symbol);
  console.log(`-- ${delivered} ticks came, ${missing} are missing, ${unexplained} without a word`);
} catch (error) {
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
} finally {
  feed.close();
}
