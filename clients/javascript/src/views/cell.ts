import type { Changing, Paint } from "./frames.js";

/**
 * Milliseconds for which a value is still followed after its last watcher left.  React's StrictMode, a change of
 * route and a list that is sorted anew all leave and come back at once; the gateway need not hear of it.
 */
export const LINGER_MS = 200;

/** Opens what a cell shows, hands each new value to *put*, and returns the way to close it. */
export type Open<T> = (put: (value: T) => void) => () => void;

/** Whether two values look the same, so that nothing is rendered for the second. */
export type Same<T> = (one: T, other: T) => boolean;

/**
 * One value that any number of watchers look at.  It is opened for the first, and closed `LINGER_MS` after the last.
 * What it shows changes at frames only, so that all who look at it within one frame see the same.
 */
export class Cell<T> implements Changing {
  readonly #open: Open<T>;
  readonly #same: Same<T>;
  readonly #paint: Paint;
  readonly #closed: () => void;
  readonly #watchers = new Set<() => void>();
  #live: T;
  #shown: T;
  #close: (() => void) | undefined;
  #leaving: ReturnType<typeof setTimeout> | undefined;

  /** *first*: shown until the first `put`.  *closed* is called when nobody came back. */
  constructor(first: T, open: Open<T>, same: Same<T>, paint: Paint, closed: () => void) {
    this.#live = this.#shown = first;
    this.#open = open;
    this.#same = same;
    this.#paint = paint;
    this.#closed = closed;
  }

  /** The value as of the last frame: the same object until it changed. */
  read(): T {
    return this.#shown;
  }

  /** Tell *watcher* after each frame that changed the value, until the function returned is called. */
  watch(watcher: () => void): () => void {
    clearTimeout(this.#leaving);
    this.#leaving = undefined;
    this.#watchers.add(watcher);
    this.#close ??= this.#open((value) => this.#put(value));
    return () => this.#left(watcher);
  }

  show(): Iterable<() => void> {
    this.#shown = this.#live;
    return this.#watchers;
  }

  #put(value: T): void {
    if (this.#same(this.#live, value)) return;
    this.#live = value;
    this.#paint.mark(this);
  }

  #left(watcher: () => void): void {
    if (!this.#watchers.delete(watcher) || this.#watchers.size > 0) return;
    this.#leaving = setTimeout(() => this.#end(), LINGER_MS);
  }

  #end(): void {
    this.#close?.();
    this.#close = undefined;
    this.#paint.forget(this);
    this.#closed();
  }
}
