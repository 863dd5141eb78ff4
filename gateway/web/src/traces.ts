/** Half an hour of each row that is looked at, asked for a few at a time. */
import type { Quote } from "./pure/quote";
import type { Point } from "./pure/trace";

/** Questions at once: the gateway has others to serve, and a row is looked at for seconds. */
const AT_ONCE = 2;
/** Failures in a row after which nobody is asked for a while: this gateway has no history now, or too many questions. */
const PATIENCE = 3;
const PAUSE_MS = 30_000;

export class Traces {
  readonly #asked = new Set<Quote>();
  #seen: readonly Quote[] = [];
  /** Of these, those that were looked at a while ago, too: rows that only fly past are not asked for. */
  #settled: readonly Quote[] = [];
  #before: ReadonlySet<Quote> = new Set();
  #open = 0;
  #failed = 0;

  constructor(
    private readonly ask: (symbol: string) => Promise<Point[]>,
    private readonly got: (quote: Quote) => void,
  ) {}

  /** These rows are looked at now; those before no longer matter. */
  look(quotes: readonly Quote[]): void {
    this.#seen = quotes;
  }

  /** A while has passed. */
  settle(): void {
    this.#settled = this.#seen.filter((quote) => this.#before.has(quote));
    this.#before = new Set(this.#seen);
    this.#next();
  }

  #resume(): void {
    this.#failed = 0;
    this.#next();
  }

  #next(): void {
    while (this.#open < AT_ONCE && this.#failed < PATIENCE) {
      const quote = this.#settled.find((each) => each.tick !== null && !this.#asked.has(each));
      if (quote === undefined) return;
      this.#asked.add(quote);
      this.#open += 1;
      void this.#fetch(quote);
    }
  }

  async #fetch(quote: Quote): Promise<void> {
    try {
      quote.trace.precede(await this.ask(quote.symbol));
      this.#failed = 0;
      this.got(quote);
    } catch {
      this.#asked.delete(quote);
      this.#failed += 1;
      if (this.#failed === PATIENCE) setTimeout(() => this.#resume(), PAUSE_MS);
    }
    this.#open -= 1;
    this.#next();
  }
}
