/** Where a feed begins. */
import { address } from "./address.js";
import { Client } from "./feed.js";
import { badRequest, numberOf, oneOf } from "./request.js";
import type { ConnectOptions, Feed } from "./types.js";

/**
 * Be connected until `close`, over as many connections as it takes, to *url* or, in turn, to several.  Throws `bad_url`
 * or `bad_request` where no attempt could succeed; all else is told by `status` and the `error` event.
 */
export function connect(url: string | URL | readonly string[], options: ConnectOptions = {}): Feed {
  const { transport = "auto", maxRate } = options;
  const urls = (Array.isArray(url) ? url : [url]).map((one) => address(String(one), globalThis.location?.href));
  if (!urls.length) throw badRequest("no address");
  numberOf("maxRate", maxRate, 0.1, 100);
  oneOf("transport", transport, "auto", "websocket", "sse");
  if (transport === "websocket" && !(options.WebSocket ?? globalThis.WebSocket)) {
    throw badRequest("no WebSocket here: give the option WebSocket, or let transport be auto");
  }
  return new Client(urls, options);
}
