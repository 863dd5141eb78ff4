/** The last half hour of one symbol's price, as few points, and the line that they make. */

/** Milliseconds that a trace reaches back. */
export const SPAN_MS = 30 * 60_000;
/** Milliseconds between two points of a young trace; as it gets longer they are doubled. */
export const STEP_MS = 2_000;
/** Most points: one for each pixel or so. */
export const MOST_POINTS = 96;

const MINUTE_MS = 60_000;

export interface Point {
  readonly at: number;
  readonly price: number;
}

/** A candle of one minute, as far as a trace needs it. */
export interface Minute {
  /** Microseconds since 1970. */
  readonly start: number;
  readonly open: number;
  readonly close: number;
  readonly complete?: boolean;
}

/** The line through *minutes*: each close stands at its minute's end; the one that still grows is left to the ticks. */
export function closes(minutes: readonly Minute[]): Point[] {
  const done = minutes.filter(({ complete }) => complete !== false);
  const [first] = done;
  if (first === undefined) return [];
  const points = done.map(({ start, close }) => ({ at: start / 1000 + MINUTE_MS, price: close }));
  return [{ at: first.start / 1000, price: first.open }, ...points];
}

export class Trace {
  points: readonly Point[] = [];
  /** Rises with each change. */
  version = 0;
  #step = STEP_MS;

  /** Put the price of now at the end, in place of the last point where that is of the same step. */
  add(at: number, price: number): void {
    const last = this.points.at(-1);
    if (last !== undefined && at < last.at) return; // the clock was set back
    const before = this.points.at(-2);
    const same =
      last !== undefined && before !== undefined && Math.floor(last.at / this.#step) === Math.floor(at / this.#step);
    this.#keep([...(same ? this.points.slice(0, -1) : this.points), { at, price }]);
  }

  /** Put *older* points before what is known. */
  precede(older: readonly Point[]): void {
    const first = this.points[0]?.at ?? Number.POSITIVE_INFINITY;
    this.#keep([...older.filter((point) => point.at < first), ...this.points]);
  }

  #keep(points: readonly Point[]): void {
    const since = (points.at(-1)?.at ?? 0) - SPAN_MS;
    let kept = points.filter((point) => point.at >= since);
    while (kept.length > MOST_POINTS) {
      this.#step *= 2;
      kept = kept.filter(
        (point, i) =>
          i === kept.length - 1 ||
          Math.floor(point.at / this.#step) !== Math.floor((kept[i + 1] as Point).at / this.#step),
      );
    }
    this.points = kept;
    this.version += 1;
  }
}

/** The `d` of an SVG path for *points* in a box of *width* and *height*; empty for fewer than two. */
export function path(points: readonly Point[], width: number, height: number, pad = 1.5): string {
  const first = points[0];
  const last = points.at(-1);
  if (first === undefined || last === undefined || last.at === first.at) return "";
  let low = first.price;
  let high = first.price;
  for (const { price } of points) {
    low = Math.min(low, price);
    high = Math.max(high, price);
  }
  const across = width / (last.at - first.at);
  const up = high === low ? 0 : (height - 2 * pad) / (high - low);
  const y = (price: number) => (up === 0 ? height / 2 : height - pad - (price - low) * up);
  return points
    .map(({ at, price }, i) => `${i ? "L" : "M"}${round((at - first.at) * across)} ${round(y(price))}`)
    .join("");
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
