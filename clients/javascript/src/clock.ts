/**
 * How far the gateway's clock is ahead of ours: Cristian's estimate from ping and pong.  Pure; milliseconds.
 *
 * The pong's `server_time` was read somewhere within the round trip; the middle is wrong by half of it at most.  So the
 * sample with the shortest round trip of the last few is the best one.
 */

/** Samples that are looked at: 8 min at one in 30 s, in which a clock drifts by 10 ms at 20 ppm. */
export const KEPT = 16;

export class Clock {
  #samples: (readonly [roundTrip: number, offset: number])[] = [];
  #best: readonly [number, number] | undefined;

  /** Milliseconds that the gateway's clock is ahead; undefined until the first pong. */
  get offset(): number | undefined {
    return this.#best?.[1];
  }

  /** Of the sample that the estimate is; half of it bounds the error. */
  get roundTrip(): number | undefined {
    return this.#best?.[0];
  }

  /** Take one pong: our clock at sending and receiving, the gateway's in between. */
  add(sent: number, server: number, received: number): void {
    const roundTrip = Math.max(0, received - sent);
    this.#samples = [...this.#samples.slice(1 - KEPT), [roundTrip, server - sent - roundTrip / 2]];
    this.#best = this.#samples.reduce((best, sample) => (sample[0] < best[0] ? sample : best));
  }

  /** Begin anew: another gateway has another clock. */
  forget(): void {
    this.#samples = [];
    this.#best = undefined;
  }
}
