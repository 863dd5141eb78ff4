/** Where a stream is.  Pure. */
import { TickwireError } from "./errors.js";

const LOCAL = /^(localhost|127\.|\[::1\])/;

/**
 * The address of a stream from what people write: `wss://HOST/v1/stream`, `https://HOST`, `HOST:8080`, or in a page
 * `/v1/stream`, which is relative to *page*.  A bare host is asked by TLS unless it is this machine.  Throws `bad_url`.
 */
export function address(text: string, page?: string): string {
  const bare = !/^([a-z][a-z\d+.-]*:\/\/|\/)/i.test(text);
  let url: URL | undefined;
  try {
    url = new URL(bare ? `${LOCAL.test(text) ? "ws" : "wss"}://${text}` : text, page);
    url.protocol = url.protocol.replace("http", "ws");
  } catch {} // said below
  if (!url || !/^wss?:$/.test(url.protocol)) {
    const shown = JSON.stringify(text.split("?")[0]); // a query may hold a ticket
    throw new TickwireError("bad_url", `${shown} is not [ws|wss|http|https]://HOST/v1/stream`);
  }
  if (url.pathname === "/") url.pathname = "/v1/stream";
  url.hash = "";
  return url.href;
}
