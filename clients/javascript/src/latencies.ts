/** The latencies of the last ticks.  Pure; milliseconds. */

/** Ticks that the percentiles are of. */
export const WINDOW = 1024;

export class Latencies {
  readonly #ring = new Float64Array(WINDOW);
  #count = 0;

  add(latency: number): void {
    if (!Number.isNaN(latency)) this.#ring[this.#count++ % WINDOW] = latency; // else the offset is not known yet
  }

  /** Median and 99th percentile by nearest rank; null: none yet. */
  get percentiles(): { p50: number; p99: number } | null {
    const sorted = this.#ring.slice(0, this.#count).sort();
    const rank = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] as number;
    return sorted.length ? { p50: rank(0.5), p99: rank(0.99) } : null;
  }
}
