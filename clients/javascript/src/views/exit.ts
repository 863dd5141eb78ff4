/**
 * Milliseconds for which a value is still followed after its last watcher left.  React's StrictMode, a change of
 * route and a list that is sorted anew all leave and come back at once; the gateway need not hear of it.
 */
export const LINGER_MS = 200;

/** The way out: what leaves in one go ends in one go, `LINGER_MS` later, so that the feed has one thing to say. */
export class Exit {
  #together: Set<() => void> | undefined;

  /** Call *end* later, unless the function returned is called before. */
  leave(end: () => void): () => void {
    const together = this.#together ?? this.#opened();
    together.add(end);
    return () => together.delete(end);
  }

  #opened(): Set<() => void> {
    const together = new Set<() => void>();
    this.#together = together;
    queueMicrotask(() => {
      this.#together = undefined;
    });
    setTimeout(() => {
      for (const end of together) end();
    }, LINGER_MS);
    return together;
  }
}
