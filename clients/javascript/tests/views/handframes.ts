import type { Frames } from "../../src/views/frames.js";

/** Frames that come when a test says so. */
export class HandFrames {
  #waiting = new Set<() => void>();

  readonly frames: Frames = (callback) => {
    this.#waiting.add(callback);
    return () => void this.#waiting.delete(callback);
  };

  /** How many wait for the next frame. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** One frame. */
  next(): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const callback of waiting) callback();
  }
}
