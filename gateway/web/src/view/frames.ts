/** One drawing per animation frame, while something changes; and how well that goes. */
import type { Second } from "../pure/pace";

/** Milliseconds that frames go on for after the last change: only frames that follow each other can be late. */
const LINGER_MS = 250;

export class Frames {
  #running = false;
  #until = 0;
  #before = 0;
  #intervals: number[] = [];
  #work = 0;

  constructor(private readonly draw: (now: number) => void) {}

  /** Draw with the next frame. */
  request(): void {
    this.#until = performance.now() + LINGER_MS;
    if (this.#running || document.hidden) return;
    this.#running = true;
    this.#before = 0;
    requestAnimationFrame(this.#frame);
  }

  /** Count *ms* of our own work outside of frames. */
  worked(ms: number): void {
    this.#work += ms;
  }

  /** Return what was measured since the last call. */
  measured(): Second {
    const second = { intervals: this.#intervals, work: this.#work };
    this.#intervals = [];
    this.#work = 0;
    return second;
  }

  readonly #frame = (now: number): void => {
    const began = performance.now();
    if (this.#before > 0) this.#intervals.push(now - this.#before);
    this.#before = now;
    this.draw(now);
    this.#work += performance.now() - began;
    this.#running = began < this.#until && !document.hidden;
    if (this.#running) requestAnimationFrame(this.#frame);
  };
}
