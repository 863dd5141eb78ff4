/** Where to connect next, and how.  Pure. */

export type Transport = "websocket" | "sse";

/** Attempts with a WebSocket, none of which ever opened, after which server-sent events are tried. */
export const MISSES = 2;

export class Route {
  readonly #urls: string[];
  #turn = 0;
  /** Attempts since the start, or since server-sent events last served. */
  #misses = 0;
  /** Whether this one is settled, by whoever asked for it or since it has worked. */
  #settled: Transport | undefined;

  constructor(urls: readonly string[], transport: Transport | undefined) {
    this.#urls = [...urls];
    this.#settled = transport;
  }

  get url(): string {
    return this.#urls[this.#turn % this.#urls.length] as string;
  }

  get transport(): Transport {
    return this.#settled ?? (this.#misses < MISSES || this.#misses % 2 ? "websocket" : "sse");
  }

  /** Whether a WebSocket may be better than the server-sent events that serve now. */
  get provisional(): boolean {
    return !this.#settled;
  }

  /** *transport* opened. */
  opened(transport: Transport): void {
    if (transport === "websocket") this.#settled = transport;
    else this.#misses = MISSES - 1; // its end counts as one: then it is tried again first
  }

  /** The attempt, or the connection, has ended. */
  ended(): void {
    this.#turn++;
    this.#misses++;
  }

  /** Nobody at this address will serve us; return whether there is another one. */
  refused(): boolean {
    this.#urls.splice(this.#turn % this.#urls.length, 1);
    return this.#urls.length > 0;
  }
}
