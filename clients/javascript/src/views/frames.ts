/** Calls back once, before the page is next painted; returns the way to call it off. */
export type Frames = (callback: () => void) => () => void;

/** Milliseconds after which a change is shown although nothing is painted: a hidden tab gets no animation frame. */
export const HIDDEN_MS = 1_000;

/** Milliseconds between two frames where there is no page, such as in Node. */
export const FRAME_MS = 16;

/**
 * The page's animation frames.  Where none comes for `HIDDEN_MS`, a timer takes its place, so that a hidden tab goes
 * on once a second.
 */
export const pageFrames: Frames = (callback) => {
  const painted = globalThis.requestAnimationFrame;
  if (painted === undefined) {
    const timer = setTimeout(callback, FRAME_MS);
    return () => clearTimeout(timer);
  }
  const first = () => {
    stop();
    callback();
  };
  const frame = painted(first);
  const timer = setTimeout(first, HIDDEN_MS);
  const stop = () => {
    globalThis.cancelAnimationFrame(frame);
    clearTimeout(timer);
  };
  return stop;
};

/** What changes, and who is to be told. */
export interface Changing {
  /** Show what came since the last frame; return whom to tell. */
  show(): Iterable<() => void>;
}

/** Collects what changed, and tells each watcher at most once a frame, however much changed. */
export class Paint {
  readonly #frames: Frames;
  readonly #changed = new Set<Changing>();
  #cancel: (() => void) | undefined;

  constructor(frames: Frames) {
    this.#frames = frames;
  }

  /** Show *changing* at the next frame. */
  mark(changing: Changing): void {
    this.#changed.add(changing);
    this.#cancel ??= this.#frames(() => this.#paint());
  }

  /** Forget *changing*; without anything left to show no frame is asked for. */
  forget(changing: Changing): void {
    this.#changed.delete(changing);
    if (this.#changed.size > 0) return;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #paint(): void {
    const changed = [...this.#changed];
    this.#changed.clear();
    this.#cancel = undefined;
    const told = new Set<() => void>();
    for (const changing of changed) for (const watcher of changing.show()) told.add(watcher);
    for (const watcher of told) watcher();
  }
}
