/** The directory of symbols and the candles of a trace, over HTTP beside the stream. */
import type { Listing } from "./pure/quote";
import { closes, type Minute, type Point, SPAN_MS } from "./pure/trace";

/** Names of one answer, and answers at most: 20,000 symbols. */
const PAGE = 1_000;
const MOST_PAGES = 20;
/** Milliseconds until the directory is looked at again, and after a failure. */
export const AGAIN_MS = 60_000;
export const RETRY_MS = 1_000;

export class Http {
  /** *base*: address of the page.  *token*: what to show, if anything. */
  constructor(
    private readonly base: string,
    private readonly token: () => string | null,
  ) {}

  /** Hand over the directory, part by part.  Throws where there is none. */
  async symbols(take: (listings: readonly Listing[]) => void): Promise<void> {
    let after: string | null = null;
    for (let page = 0; page < MOST_PAGES; page += 1) {
      const { symbols, next } = (await this.#get("v1/symbols", {
        limit: String(PAGE),
        ...(after === null ? {} : { after }),
      })) as Directory;
      take(symbols);
      if (!next) return;
      after = next;
    }
  }

  /** The closes of the last half hour. */
  async trace(symbol: string): Promise<Point[]> {
    const path = `v1/candles/${encodeURIComponent(symbol)}`;
    const { candles } = (await this.#get(path, { interval: "1m", limit: String(SPAN_MS / 60_000) })) as Candles;
    return closes(candles);
  }

  async #get(path: string, query: Record<string, string>): Promise<unknown> {
    const token = this.token();
    const answer = await fetch(new URL(`${path}?${new URLSearchParams(query)}`, this.base), {
      headers: token === null ? {} : { Authorization: `Bearer ${token}` },
      credentials: "omit",
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return answer.json();
  }
}

interface Directory {
  readonly symbols: readonly Listing[];
  readonly next: string | null;
}

interface Candles {
  readonly candles: readonly Minute[];
}
