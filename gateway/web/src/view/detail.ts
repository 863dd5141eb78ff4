/** The chosen symbol: its figures, its chart, and what became of each of its ticks. */
import type { Account, Candle, Day, Interval } from "tickwire-client";
import { Bars } from "../pure/bars";
import { compact, count, percent, price, signed, way } from "../pure/format";
import type { Quote } from "../pure/quote";
import type { Chart } from "./chart";
import { by, make, mark, write } from "./dom";
import { keep, read } from "./theme";

const KEY = "tickwire.interval";
/** Milliseconds without a candle after which the box says so. */
const PATIENCE_MS = 4_000;
const FIGURES = ["Bid", "Ask", "Spread", "Open", "High", "Low", "Prev. close", "Volume"] as const;

export interface DetailHooks {
  /** Follow candles; returns the way to stop. */
  readonly candles: (
    symbol: string,
    interval: Interval,
    take: (candles: readonly Candle[], reset: boolean) => void,
    refused: (why: string) => void,
  ) => () => void;
  readonly day: (symbol: string) => Day | undefined;
  readonly account: (symbol: string) => Account | undefined;
  readonly closed: () => void;
}

export class Detail {
  readonly #box = by("detail");
  readonly #title = make("h2", { "data-testid": "chosen" });
  readonly #name = make("p", { class: "soft", "data-testid": "chosen-name" });
  readonly #price = make("p", { class: "figure", "data-testid": "chosen-price" });
  readonly #change = make("p", { class: "moved", "data-testid": "chosen-change" });
  readonly #account = make("p", { class: "soft account", "data-testid": "account" });
  readonly #canvas = make("div", { id: "chart", role: "img", "data-testid": "chart" });
  readonly #words = make("p", { class: "sentence", id: "chart-words", "data-testid": "chart-words" });
  readonly #figures = new Map<string, HTMLElement>();
  readonly #switches = new Map<Interval, HTMLButtonElement>();
  #chart: Chart | null = null;
  #quote: Quote | null = null;
  #interval: Interval = read(KEY) === "1m" ? "1m" : "1s";
  #bars = new Bars();
  #stop: () => void = () => undefined;
  #waiting = 0;

  constructor(private readonly hooks: DetailHooks) {
    this.#build();
  }

  get quote(): Quote | null {
    return this.#quote;
  }

  open(quote: Quote): void {
    this.#box.hidden = false;
    if (quote === this.#quote) return;
    this.#quote = quote;
    write(this.#title, quote.symbol);
    this.#follow();
  }

  close(): void {
    this.#stop();
    this.#stop = () => undefined;
    this.#quote = null;
    this.#box.hidden = true;
    this.hooks.closed();
  }

  /** Length of the candles. */
  switch(interval: Interval): void {
    if (interval === this.#interval || this.#quote === null) return;
    this.#interval = interval;
    keep(KEY, interval);
    this.#follow();
  }

  /** The colours of the page have changed. */
  dress(): void {
    this.#chart?.dress();
  }

  /** Follow the candles again, over another feed. */
  again(): void {
    if (this.#quote !== null) this.#follow();
  }

  draw(): void {
    const quote = this.#quote;
    if (quote === null) return;
    const { decimals, tick } = quote;
    const day = this.hooks.day(quote.symbol);
    write(this.#name, [quote.name, quote.state].filter(Boolean).join(" · "));
    write(this.#price, price(quote.price, decimals));
    const change = signed(quote.change, decimals);
    write(this.#change, quote.change === null ? "" : `${change} (${percent(quote.percent)})`);
    mark(this.#change, "way", way(change));
    const of = (name: (typeof FIGURES)[number], text: string) => write(this.#figures.get(name) as HTMLElement, text);
    of("Bid", tick === null ? "–" : `${price(tick.bid, decimals)} × ${compact(tick.bid_size)}`);
    of("Ask", tick === null ? "–" : `${price(tick.ask, decimals)} × ${compact(tick.ask_size)}`);
    of("Spread", spread(quote));
    of("Open", price(day?.open, decimals));
    of("High", price(quote.high(day?.high), decimals));
    of("Low", price(quote.low(day?.low), decimals));
    of("Prev. close", price(quote.previousClose, decimals));
    of("Volume", count(quote.volume));
  }

  /** What is slow to tell: a few times a second is enough. */
  tell(): void {
    const quote = this.#quote;
    if (quote === null) return;
    const account = this.hooks.account(quote.symbol);
    if (account === undefined) return;
    const { delivered, conflated, missing, unexplained } = account;
    const lost =
      missing > 0 ? `${count(missing)} missing${quote.missed ? ` (${quote.missed.reason})` : ""}` : "none missing";
    const fault = unexplained > 0 ? `, ${count(unexplained)} without a word` : "";
    write(this.#account, `${count(delivered)} ticks came, ${count(conflated)} conflated, ${lost}${fault}`);
    this.#canvas.setAttribute("aria-label", this.#spoken(quote));
  }

  #spoken(quote: Quote): string {
    const kind = this.#interval === "1m" ? "one minute" : "one second";
    const last = this.#bars.last;
    const text = `${this.#bars.size} candles of ${kind} of ${quote.symbol}`;
    return last === undefined ? text : `${text}; the last one closed at ${price(last.close, quote.decimals)}`;
  }

  #follow(): void {
    const quote = this.#quote as Quote;
    this.#stop();
    this.#bars = new Bars();
    this.#chart?.clear();
    for (const [interval, button] of this.#switches)
      button.setAttribute("aria-pressed", String(interval === this.#interval));
    this.#canvas.setAttribute("aria-label", this.#spoken(quote));
    write(this.#words, "Waiting for candles");
    clearTimeout(this.#waiting);
    this.#waiting = window.setTimeout(() => {
      if (this.#bars.size === 0)
        write(this.#words, "No candles yet: nothing was traded, or this gateway has no history. The list goes on.");
    }, PATIENCE_MS);
    let begun = false;
    const unfollow = this.hooks.candles(
      quote.symbol,
      this.#interval,
      (candles, reset) => {
        const change = this.#bars.take(candles, reset || !begun);
        void this.#show(quote, change.all && !begun);
        begun = true;
        if (this.#chart !== null) this.#chart.take(change);
      },
      (why) => write(this.#words, why),
    );
    this.#stop = unfollow;
  }

  /** The library is fetched with the first candle, so that prices need not wait for it. */
  async #show(quote: Quote, first: boolean): Promise<void> {
    if (this.#bars.size > 0) write(this.#words, "");
    if (this.#chart === null) {
      const { Chart: Made } = await import("./chart");
      this.#chart ??= new Made(this.#canvas);
      this.#chart.take({ all: true, bars: this.#bars.all });
    }
    this.#chart.measure(quote.decimals, this.#interval === "1s");
    if (first) this.#chart.newest();
  }

  #build(): void {
    const back = make(
      "button",
      {
        type: "button",
        id: "detail-close",
        "data-testid": "detail-close",
        "aria-label": "Close the chart",
        "aria-keyshortcuts": "Escape",
      },
      "×",
    );
    back.addEventListener("click", () => this.close());
    const switches = make("div", { role: "group", "aria-label": "Length of a candle", class: "switches" });
    for (const [interval, text, key] of [
      ["1s", "1 s", "1"],
      ["1m", "1 min", "2"],
    ] as const) {
      const button = make(
        "button",
        { type: "button", "data-testid": `interval-${interval}`, "aria-keyshortcuts": key },
        text,
      );
      button.addEventListener("click", () => this.switch(interval));
      this.#switches.set(interval, button);
      switches.append(button);
    }
    const figures = make("dl", { class: "figures", "data-testid": "figures" });
    for (const name of FIGURES) {
      const value = make("dd");
      this.#figures.set(name, value);
      figures.append(make("div", {}, make("dt", {}, name), value));
    }
    const thanks = make("p", { class: "thanks soft" }, "Chart: ");
    thanks.append(
      make(
        "a",
        { href: "https://www.tradingview.com/", target: "_blank", rel: "noopener noreferrer" },
        "TradingView Lightweight Charts™",
      ),
      ", © 2025 TradingView, Inc. ",
      make("a", { href: "./notices.txt" }, "Licences"),
    );
    const heading = make(
      "div",
      { class: "heading" },
      make("div", {}, this.#title, this.#name),
      make("div", { class: "now" }, this.#price, this.#change),
      back,
    );
    this.#box.append(
      heading,
      switches,
      make("div", { class: "picture" }, this.#canvas, this.#words),
      figures,
      this.#account,
      thanks,
    );
  }
}

function spread({ spread: value, price: at, decimals }: Quote): string {
  if (value === null || !at) return "–";
  return `${price(value, decimals)} (${((10_000 * value) / at).toFixed(1)} bp)`;
}
