/** The last half hour of one symbol's price, as few points, and the line that they make. */

/** Milliseconds that a trace reaches back. */
export const SPAN_MS = 30 * 60_000;
/** Milliseconds between two of its points. */
export const STEP_MS = 10_000;

export interface Point {
  readonly at: number;
  readonly price: number;
}

export class Trace {
  points: Point[] = [];
  /** Rises with each change. */
  version = 0;

  /** Put the price of now at the end; in place of the last point where that is of the same step. */
  add(at: number, price: number): void {
    const last = this.points.at(-1);
    const before = this.points.at(-2);
    if (last !== undefined && at < last.at) return;
    if (last?.price === price && before?.price === price) this.points.pop();
    else if (before !== undefined && last !== undefined && last.at - before.at < STEP_MS) this.points.pop();
    this.points.push({ at, price });
    this.#forget(at);
    this.version += 1;
  }

  /** Put *older* points before what is known. */
  precede(older: readonly Point[]): void {
    const first = this.points[0]?.at ?? Number.POSITIVE_INFINITY;
    this.points = [...older.filter((point) => point.at < first), ...this.points];
    this.#forget(this.points.at(-1)?.at ?? 0);
    this.version += 1;
  }

  #forget(now: number): void {
    const kept = this.points.findIndex((point) => point.at >= now - SPAN_MS);
    if (kept > 0) this.points.splice(0, kept);
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
  return points.map(({ at, price }, i) => `${i ? "L" : "M"}${round((at - first.at) * across)} ${round(y(price))}`).join("");
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
