/** Where a stream is.  Pure. */
import { TickwireError } from "./errors.js";

const LOCAL = /^(localhost|127\.|\[::1\])/;

/**
 * The address of a stream from what people write: `wss://HOST/v1/stream`, `https://HOST`, `HOST:8080`, or in a page
 * `/v1/stream`, which is relative to *page*.  A bare host is asked by TLS unless it is this machine.  Throws `bad_url`.
 */
export function address(text: string, page?: string): string {
  let url: URL;
  const shown = JSON.stringify(text.split("?")[0]); // a query may hold a ticket
  try {
    const bare = !/^([a-z][a-z\d+.-]*:\/\/|\/)/i.test(text);
    url = new URL(bare ? `${LOCAL.test(text) ? "ws" : "wss"}://${text}` : text, page);
    url.protocol = url.protocol.replace("http", "ws");
  } catch {
    throw new TickwireError("bad_url", `${shown} is no address of a stream, such as wss://HOST/v1/stream`);
  }
  if (!/^wss?:$/.test(url.protocol)) {
    throw new TickwireError("bad_url", `${shown} begins with ${url.protocol}, but must with ws, wss, http or https`);
  }
  if (url.pathname === "/") url.pathname = "/v1/stream";
  url.hash = "";
  return url.href;
}
