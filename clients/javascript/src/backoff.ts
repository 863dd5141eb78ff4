/** How long to wait before the next connection.  Pure; milliseconds. */

export const BASE_MS = 100;
/** Longest time between two attempts; with full jitter the mean is half of it. */
export const CAP_MS = 10_000;
/** Longest time that a gateway's `reconnect`, or `Retry-After`, may make us wait: longer than any drain. */
export const TOLD_CAP_MS = 60_000;

/** Full jitter: a random time up to 0.1 s that doubles per failed attempt up to 10 s. */
export class Backoff {
  #longest = BASE_MS;

  constructor(readonly random: () => number) {}

  /** A connection brought something: the next wait is short again. */
  succeeded(): void {
    this.#longest = BASE_MS;
  }

  /**
   * How long to wait.  *told*: until the last `reconnect` wants us elsewhere; gateways spread their clients.  *busy*:
   * what is left of a `Retry-After`, which is the same for every client, so the random time comes on top.
   */
  wait(told: number, busy: number): number {
    const longest = this.#longest;
    this.#longest = Math.min(CAP_MS, longest * 2);
    if (told > 0) return Math.min(TOLD_CAP_MS, told);
    return Math.min(TOLD_CAP_MS, Math.max(0, busy)) + this.random() * longest;
  }
}
