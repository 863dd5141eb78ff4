import type { Exit } from "./exit.js";
import type { Changing, Paint } from "./frames.js";

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
  readonly #exit: Exit;
  readonly #closed: () => void;
  readonly #watchers = new Set<() => void>();
  #live: T;
  #shown: T;
  #close: (() => void) | undefined;
  #stay: (() => void) | undefined;

  /** *first*: shown until the first `put`.  *closed* is called when nobody came back. */
  constructor(first: T, open: Open<T>, same: Same<T>, paint: Paint, exit: Exit, closed: () => void) {
    this.#live = this.#shown = first;
    this.#open = open;
    this.#same = same;
    this.#paint = paint;
    this.#exit = exit;
    this.#closed = closed;
  }

  /** The value as of the last frame: the same object until it changed. */
  read(): T {
    return this.#shown;
  }

  /** Tell *watcher* after each frame that changed the value, until the function returned is called. */
  watch(watcher: () => void): () => void {
    this.#stay?.();
    this.#stay = undefined;
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
    this.#stay = this.#exit.leave(() => this.#end());
  }

  #end(): void {
    this.#close?.();
    this.#close = undefined;
    this.#paint.forget(this);
    this.#closed();
  }
}
