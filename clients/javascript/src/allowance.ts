/** How many commands may be sent now: within the gateway's limits, so that it never closes with 4429.  Pure. */

/** The part of the gateway's limits that is used: pings of a WebSocket library count too. */
export const SHARE = 0.8;

/** A token bucket; times are milliseconds. */
export class Allowance {
  #left: number;
  readonly #burst: number;
  readonly #perMs: number;
  #at: number;

  constructor(perS: number, burst: number, now: number) {
    this.#perMs = (perS * SHARE) / 1000;
    this.#left = this.#burst = Math.max(1, burst * SHARE);
    this.#at = now;
  }

  /** Whether a command may be sent now. */
  ready(now: number): boolean {
    this.#left = Math.min(this.#burst, this.#left + (now - this.#at) * this.#perMs);
    this.#at = now;
    return this.#left >= 1;
  }

  /** One was sent that counts as *weight*. */
  spend(weight: number): void {
    this.#left -= weight;
  }

  /** When the next one may be sent. */
  due(now: number): number {
    return this.#left >= 1 ? now : now + (1 - this.#left) / this.#perMs;
  }
}
