/** The page: what it is made of, and who tells whom. */
import { commands } from "./commands";
import { AGAIN_MS, Http, RETRY_MS } from "./directory";
import { Entry } from "./entry";
import { listen } from "./keyboard";
import { Market } from "./market";
import { stream, wish } from "./pure/address";
import { Pace } from "./pure/pace";
import { pins, text } from "./pure/pins";
import type { Quote } from "./pure/quote";
import { STEP_MS } from "./pure/trace";
import { nothing } from "./pure/words";
import { Traces } from "./traces";
import { Detail } from "./view/detail";
import { by, mark, write } from "./view/dom";
import { Frames } from "./view/frames";
import { Grid } from "./view/grid";
import { Help } from "./view/help";
import { Strip } from "./view/strip";
import { keep, read, Theme } from "./view/theme";
import { Wire } from "./view/wire";

const PINS = "tickwire.pins";
/** Milliseconds between two writings of what need not be told with each frame. */
const SLOW_MS = 250;
const JUDGE_MS = 1_000;
/** Milliseconds after which frames are judged without waiting for the timer. */
const LATEST_MS = 1_500;
/** Width from which list and chart stand side by side. */
const WIDE = matchMedia("(min-width: 900px)");
/** Updates per second and symbol of a page that nobody looks at. */
const HIDDEN_RATE = 1;

export class App {
  readonly #wish = wish(location.search, location.hash);
  readonly #pins = pins(read(PINS));
  readonly #pace = new Pace();
  readonly #strip = new Strip();
  readonly #wire = new Wire();
  readonly #help = new Help(() => this.#theme.turn());
  readonly #frames = new Frames((now) => this.#draw(now));
  readonly #theme: Theme = new Theme(() => this.#detail.dress());
  readonly #entry: Entry = new Entry(
    { open: () => this.#open(), status: () => this.#market.status },
    this.#wish.faults,
  );
  readonly #http = new Http(document.baseURI, () => this.#entry.kept);
  readonly #market: Market;
  readonly #grid: Grid;
  readonly #detail: Detail;
  readonly #traces: Traces;
  /** What somebody chose: a rate, null for every tick, or what can be drawn. */
  #rate: number | null | "auto" = this.#wish.rate ?? "auto";
  #looking = 0;
  #judged = 0;
  #closedByHand = false;
  /** Whether the gateway has said which symbols there are. */
  #answered = false;
  #listing = false;
  #connected = false;

  constructor() {
    const request = () => this.#frames.request();
    this.#market = new Market(stream(document.baseURI), this.#wish.symbols, {
      news: request,
      others: () => this.#grid.rearrange(),
      status: (status) => {
        this.#entry.status(status);
        this.#met();
      },
      frame: (frame) => {
        this.#measure();
        this.#wire.take(frame);
        this.#entry.frame(frame);
      },
      gap: (gap) => this.#wire.note(gap, Date.now()),
      closed: (code) => this.#entry.closed(code),
      error: (error) => this.#entry.failed(error),
    });
    this.#grid = new Grid({
      quotes: this.#market.quotes,
      pins: this.#pins,
      request,
      choose: (quote) => this.#choose(quote),
      pin: (quote) => this.#pin(quote),
      seen: (quotes) => this.#traces.look(quotes),
    });
    this.#detail = new Detail({
      candles: (symbol, interval, take, refused) =>
        this.#market.candles(symbol, interval, take, ({ message }) => refused(`No candles: ${message}.`)),
      day: (symbol) => this.#market.day(symbol),
      account: (symbol) => this.#market.account(symbol),
      closed: () => this.#left(),
    });
    this.#traces = new Traces(
      (symbol) => this.#http.trace(symbol),
      (quote) => {
        this.#market.dirty.add(quote);
        request();
      },
    );
  }

  start(): void {
    const choose = (quote: Quote) => this.#choose(quote);
    const pin = (quote: Quote) => this.#pin(quote);
    const parts = { grid: this.#grid, detail: this.#detail, wire: this.#wire, help: this.#help, theme: this.#theme };
    listen({ letters: () => this.#help.letters, obey: commands({ ...parts, choose, pin }) });
    const search = by<HTMLInputElement>("search");
    search.addEventListener("input", () => this.#grid.search(search.value));
    by("find").addEventListener("submit", (event) => event.preventDefault());
    by("theme").addEventListener("click", () => this.#theme.turn());
    const pace = by<HTMLSelectElement>("pace");
    this.#offer(pace);
    pace.addEventListener("change", () => this.#choosePace(pace.value));
    document.addEventListener("visibilitychange", () => this.#turned());
    WIDE.addEventListener("change", () => this.#cover());
    addEventListener("hashchange", () => this.#follow());
    setInterval(() => this.#slowly(), SLOW_MS);
    setInterval(() => this.#judge(), JUDGE_MS);
    setInterval(() => this.#market.sketch(Date.now()), STEP_MS);
    this.#market.ask(this.#asked());
    this.#open();
  }

  #open(): void {
    this.#answered = false;
    this.#market.open(this.#entry.token);
    this.#detail.again();
    void this.#list();
  }

  /** Where the connection came to stand, the directory is asked for again, if it is not here yet. */
  #met(): void {
    const { connected } = this.#market;
    if (connected && !this.#connected && !this.#answered) void this.#list();
    this.#connected = connected;
  }

  /** Read the directory, now and then again: symbols come and go. */
  async #list(): Promise<void> {
    if (this.#listing) return;
    this.#listing = true;
    clearTimeout(this.#looking);
    let again = AGAIN_MS;
    try {
      await this.#http.symbols((listings) => this.#market.list(listings));
      this.#answered = true;
      this.#follow();
    } catch {
      // Who is not let in over the stream is not over HTTP either: then this waits for the stream.
      if (this.#market.connected) again = RETRY_MS;
    }
    this.#listing = false;
    this.#looking = window.setTimeout(() => void this.#list(), again);
  }

  // ------------------------------------------------------------------------------------------------- drawing

  #draw(now: number): void {
    const { dirty } = this.#market;
    this.#grid.draw(now, dirty);
    const { quote } = this.#detail;
    if (quote !== null && dirty.has(quote)) this.#detail.draw();
    dirty.clear();
  }

  #slowly(): void {
    const { status, quotes, refused } = this.#market;
    const now = performance.now();
    if (status !== null) this.#strip.show(status, now);
    this.#entry.look(now);
    this.#wire.draw();
    this.#detail.tell();
    this.#traces.settle();
    const { count, sought } = this.#grid;
    const knowing = { known: quotes.size, refused, answered: this.#answered, token: this.#entry.kept !== null };
    write(by("empty"), count === 0 || refused === quotes.size ? nothing(sought, knowing) : "");
    mark(by("empty"), "low", count > 0 ? "yes" : "");
    write(by("found"), sought === "" || count === 0 ? "" : `${count} found`);
    if (WIDE.matches && this.#detail.quote === null) this.#first();
  }

  /** Count what the client does with a frame: it ends before the next microtask. */
  #measure(): void {
    const began = performance.now();
    queueMicrotask(() => {
      const now = performance.now();
      this.#frames.worked(now - began);
      // Timers starve where messages pile up.
      if (now - this.#judged > LATEST_MS) this.#judge();
    });
  }

  #judge(): void {
    this.#judged = performance.now();
    const second = this.#frames.measured();
    const frames = second.intervals.length;
    if (this.#rate === "auto" && !document.hidden && this.#pace.judge(second)) this.#market.ask(this.#asked());
    this.#strip.drawn(
      this.#asked(),
      this.#rate === "auto",
      frames < JUDGE_MS / 100 ? null : Math.round((frames * 1000) / sum(second.intervals)),
    );
  }

  #asked(): number | null {
    if (document.hidden) return HIDDEN_RATE;
    return this.#rate === "auto" ? this.#pace.rate : this.#rate;
  }

  #choosePace(value: string): void {
    this.#rate = value === "auto" ? "auto" : value === "all" ? null : Number(value);
    this.#market.ask(this.#asked());
  }

  /** Show the rate of the address, which may be none of the list. */
  #offer(pace: HTMLSelectElement): void {
    const { rate } = this.#wish;
    if (rate === null) return;
    if (![...pace.options].some(({ value }) => value === String(rate))) pace.add(new Option(`${rate}/s`, String(rate)));
    pace.value = String(rate);
  }

  /** This tab is shown, or not any more. */
  #turned(): void {
    this.#frames.measured();
    this.#market.ask(this.#asked());
    this.#frames.request();
  }

  // ------------------------------------------------------------------------------------------ the chosen symbol

  /** The symbol that the address names. */
  #follow(): void {
    const { chosen } = wish(location.search, location.hash);
    const quote = chosen === null ? undefined : this.#market.quotes.get(chosen);
    if (quote !== undefined && quote !== this.#detail.quote) this.#show(quote);
  }

  /** Where there is room for a chart, there is one. */
  #first(): void {
    const quote = this.#grid.top;
    if (quote === null || quote.tick === null || this.#closedByHand) return;
    this.#grid.suggest(quote);
    this.#unfold(quote);
  }

  #choose(quote: Quote): void {
    history.replaceState(null, "", `#${encodeURIComponent(quote.symbol)}`);
    this.#closedByHand = false;
    this.#show(quote);
    if (!WIDE.matches) by("detail").focus();
  }

  #show(quote: Quote): void {
    this.#grid.choose(quote);
    this.#unfold(quote);
  }

  #unfold(quote: Quote): void {
    this.#detail.open(quote);
    this.#detail.draw();
    this.#cover();
  }

  #left(): void {
    this.#closedByHand = true;
    history.replaceState(null, "", location.pathname + location.search);
    this.#cover();
    by("grid").focus();
  }

  /** On a narrow screen the chart lies over everything else, which is then out of reach for the keyboard, too. */
  #cover(): void {
    for (const id of ["top", "health", "list"]) by(id).inert = this.#detail.quote !== null && !WIDE.matches;
  }

  #pin(quote: Quote): void {
    if (!this.#pins.delete(quote.symbol)) this.#pins.add(quote.symbol);
    keep(PINS, text(this.#pins));
    this.#grid.rearrange();
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}
