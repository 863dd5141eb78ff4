/** What the page's own address asks for. */

const SYMBOL = /^[A-Z0-9][A-Z0-9.-]{0,15}$/;
const LEAST_RATE = 0.1;
const MOST_RATE = 100;

export interface Wish {
  /** `?symbols=AAPL,MSFT`: only these; null: all. */
  readonly symbols: readonly string[] | null;
  /** `?max_rate=5`; null: what can be drawn. */
  readonly rate: number | null;
  /** `#AAPL`: the symbol of the chart. */
  readonly chosen: string | null;
  /** What of it is wrong, as sentences. */
  readonly faults: readonly string[];
}

/** Read `location.search` and `location.hash`. */
export function wish(search: string, hash: string): Wish {
  const query = new URLSearchParams(search);
  const faults: string[] = [];
  const asked = names(query.get("symbols") ?? "");
  const good = asked.filter((name) => SYMBOL.test(name));
  if (good.length < asked.length) {
    const bad = asked.filter((name) => !SYMBOL.test(name)).join(", ");
    faults.push(`symbols in the address: ${bad} is no symbol; one has 1 to 16 letters, digits, dots or hyphens.`);
  }
  const chosen = decode(hash.slice(1)).toUpperCase();
  return {
    symbols: good.length > 0 ? good : null,
    rate: rate(query.get("max_rate"), faults),
    chosen: SYMBOL.test(chosen) ? chosen : null,
    faults,
  };
}

/** The stream's address beside the page's own *href*, below the same path. */
export function stream(href: string): string {
  const url = new URL("v1/stream", new URL(".", href));
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.search = url.hash = "";
  return url.href;
}

function names(text: string): string[] {
  return [
    ...new Set(
      text
        .toUpperCase()
        .split(/[\s,]+/)
        .filter(Boolean),
    ),
  ];
}

function rate(text: string | null, faults: string[]): number | null {
  if (text === null || text === "" || text === "auto") return null;
  const value = Number(text);
  if (value >= LEAST_RATE && value <= MOST_RATE) return value;
  faults.push(`max_rate in the address is ${text}, but must be auto or a number from ${LEAST_RATE} to ${MOST_RATE}.`);
  return null;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
