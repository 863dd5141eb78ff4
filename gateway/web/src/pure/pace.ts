/**
 * The rate that this page can draw: what it asks the gateway for, in ticks per second and symbol.
 *
 * Judged once a second by the page's own frames.  Late frames or a busy thread lower the rate by one step, a thread with no
 * time left by two at once; calm raises it by one step after a while, which doubles each time that the higher rate
 * proved too much.
 */

export const STEPS = [1, 2, 5, 10, 20, 30] as const;
const START = 3;
/** A window with a larger part of its frames late is a bad one. */
const LATE = 0.1;
/** So is one in which our own work took a larger part of the time. */
const BUSY = 0.4;
/** More than this is no hiccup: messages pile up in the browser, and prices grow old. */
const OVERWHELMED = 0.9;
/** Calm is a window below these. */
const CALM_LATE = 0.04;
const CALM_BUSY = 0.2;
/** Bad windows in a row that lower the rate: one alone is a garbage collection, or somebody else's work. */
const PATIENCE = 2;
/** Calm windows that raise it, at first and at most. */
const HOLD = 5;
const LONGEST_HOLD = 160;
/** A frame is late after so many intervals of the screen, but never before 25 ms. */
const SLACK = 1.5;
const LATE_MS = 25;
/** No screen is taken to be slower than one of 24 Hz: that would be lateness. */
const SLOWEST_SCREEN_MS = 42;
/** Fewer intervals than these in a second say nothing, unless they fill most of it. */
const LEAST = 10;
const MOST_MS = 600;

/** One second of frames. */
export interface Second {
  /** Milliseconds between frames that followed each other. */
  readonly intervals: readonly number[];
  /** Milliseconds that our own work took. */
  readonly work: number;
}

export class Pace {
  #step = START;
  #bad = 0;
  #calm = 0;
  #hold = HOLD;
  #rose = false;
  #screen = Number.POSITIVE_INFINITY;

  get rate(): number {
    return STEPS[this.#step] as number;
  }

  /** Take in one second; return whether the rate has changed. */
  judge(second: Second): boolean {
    const late = this.#late(second.intervals);
    const busy = second.work / 1000;
    if (busy > OVERWHELMED) return this.#fall(2);
    if (late > LATE || busy > BUSY) return this.#suffer();
    this.#bad = 0;
    if (second.intervals.length < LEAST) return false;
    this.#calm = late < CALM_LATE && busy < CALM_BUSY ? this.#calm + 1 : 0;
    if (this.#calm < this.#hold || this.#step === STEPS.length - 1) return false;
    this.#step += 1;
    this.#rose = true;
    this.#calm = 0;
    return true;
  }

  #suffer(): boolean {
    this.#calm = 0;
    this.#bad += 1;
    return this.#bad >= PATIENCE && this.#fall(1);
  }

  #fall(steps: number): boolean {
    this.#calm = 0;
    this.#bad = 0;
    if (this.#step === 0) return false;
    if (this.#rose) this.#hold = Math.min(LONGEST_HOLD, this.#hold * 2);
    this.#rose = false;
    this.#step = Math.max(0, this.#step - steps);
    return true;
  }

  #late(intervals: readonly number[]): number {
    const filled = intervals.reduce((sum, interval) => sum + interval, 0) > MOST_MS;
    if (intervals.length < LEAST && !filled) return 0;
    const sorted = [...intervals].sort((one, other) => one - other);
    // A screen of 30 Hz is not late all the time.
    this.#screen = Math.min(this.#screen, sorted[sorted.length >> 2] as number);
    const limit = Math.max(LATE_MS, SLACK * Math.min(this.#screen, SLOWEST_SCREEN_MS));
    return sorted.filter((interval) => interval > limit).length / sorted.length;
  }
}
