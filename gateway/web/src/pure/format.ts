/** Figures as people read them.  English digits as on the wire, a real minus, nothing that jumps in width. */

const MINUS = "−";
const NOTHING = "–";
const priced = new Map<number, Intl.NumberFormat>();
const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en-US", {
  notation: "compact",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});

/** A price with its symbol's *decimals*. */
export function price(value: number | null | undefined, decimals: number): string {
  if (value == null || !Number.isFinite(value)) return NOTHING;
  return format(decimals).format(value).replace("-", MINUS);
}

/** A difference: always with a sign, except nothing at all. */
export function signed(value: number | null | undefined, decimals: number): string {
  const text = price(value, decimals);
  return value != null && value > 0 && /[1-9]/.test(text) ? `+${text}` : text.replace(/^−(?=[0.,]*$)/, "");
}

export function percent(value: number | null | undefined): string {
  const text = signed(value, 2);
  return text === NOTHING ? text : `${text}%`;
}

/** A count in full: 12,345. */
export function count(value: number | null | undefined): string {
  return value == null ? NOTHING : whole.format(value);
}

/** A count in at most 6 characters: 987, 12.3K, 1.2M. */
export function compact(value: number | null | undefined): string {
  if (value == null) return NOTHING;
  return value < 1000 ? whole.format(value) : short.format(value);
}

/** Milliseconds: 0.8 ms, 12 ms, 3.4 s. */
export function milliseconds(value: number | null | undefined): string {
  if (value == null || !Number.isFinite(value)) return NOTHING;
  if (Math.abs(value) >= 1000) return `${(value / 1000).toFixed(1)} s`;
  return `${value.toFixed(Math.abs(value) < 9.95 ? 1 : 0)} ms`.replace("-", MINUS);
}

/** A wall clock time with milliseconds: 14:03:59.120. */
export function clock(ms: number): string {
  const at = new Date(ms);
  const two = (part: number) => String(part).padStart(2, "0");
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return `${time}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

/** Which way a signed figure points as it is shown, for colour and arrow: 0.00 points nowhere. */
export function way(text: string): "up" | "down" | "" {
  return text.startsWith("+") ? "up" : text.startsWith(MINUS) ? "down" : "";
}

/** How many decimals *values* show, at least 2: the wire does not name them, and JSON numbers lose trailing zeros. */
export function decimalsOf(...values: readonly number[]): number {
  return Math.min(6, Math.max(2, ...values.map((value) => (String(value).split(".")[1] ?? "").length)));
}

function format(decimals: number): Intl.NumberFormat {
  let found = priced.get(decimals);
  if (found === undefined) {
    found = new Intl.NumberFormat("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
    priced.set(decimals, found);
  }
  return found;
}
