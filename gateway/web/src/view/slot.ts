/** One row of the list as it stands on the page: made once, and given to whichever symbol is looked at. */
import { compact, count, percent, price, signed, way } from "../pure/format";
import type { Quote } from "../pure/quote";
import { path } from "../pure/trace";
import { make } from "./dom";

/** Milliseconds that a price shows which way it went. */
export const LIT_MS = 400;
const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 96;
const HEIGHT = 24;

/** A cell that is written only where its text or its mark changes. */
class Cell {
  readonly #text = document.createTextNode("");
  #shown = "";
  #mark = "";

  constructor(readonly element: HTMLElement) {
    element.append(this.#text);
  }

  show(text: string, mark = ""): void {
    if (text !== this.#shown) this.#text.nodeValue = this.#shown = text;
    if (mark !== this.#mark) this.element.dataset.way = this.#mark = mark;
  }
}

export class Slot {
  readonly element = make("div", { role: "row", class: "row", "data-testid": "row" });
  quote: Quote | null = null;
  index = -1;
  readonly #pin = make("button", { type: "button", class: "pin", tabindex: "-1", "data-testid": "pin" });
  readonly #name = make("small", { "data-testid": "name" });
  readonly #line = document.createElementNS(SVG, "path");
  readonly #cells: Readonly<
    Record<"symbol" | "flag" | "state" | "price" | "change" | "percent" | "spread" | "volume", Cell>
  >;
  #drawn = -1;
  #lit = 0;

  constructor(number: number) {
    this.element.id = `row-${number}`;
    const cell = (name: string, role = "gridcell") => {
      // Narrow lists leave some columns out: which ones these are must be said.
      const column = String(this.element.childElementCount + 1);
      const element = make("div", { role, class: `cell ${name}`, "aria-colindex": column, "data-testid": name });
      this.element.append(element);
      return element;
    };
    this.#pin.append(star());
    cell("pinned").append(this.#pin);
    const symbol = cell("symbol", "rowheader");
    const bold = make("b");
    const flag = make("em", { class: "flag" });
    symbol.append(bold, flag, this.#name);
    const state = new Cell(cell("state"));
    cell("trace").append(this.#sketch());
    this.#cells = {
      symbol: new Cell(bold),
      flag: new Cell(flag),
      state,
      price: new Cell(cell("price")),
      change: new Cell(cell("change")),
      percent: new Cell(cell("percent")),
      spread: new Cell(cell("spread")),
      volume: new Cell(cell("volume")),
    };
  }

  /** Stand for *quote* as row *index* of the list. */
  place(index: number, quote: Quote, height: number): void {
    if (index !== this.index) {
      this.index = index;
      this.element.style.transform = `translateY(${index * height}px)`;
      this.element.setAttribute("aria-rowindex", String(index + 2));
    }
    if (quote === this.quote) return;
    this.quote = quote;
    this.#drawn = -1;
    this.element.dataset.symbol = quote.symbol;
  }

  /** Show what has changed; return whether the price is still lit. */
  paint(now: number): boolean {
    const { quote } = this;
    if (quote === null) return false;
    const cells = this.#cells;
    cells.symbol.show(quote.symbol);
    if (this.#name.textContent !== quote.name) this.#name.textContent = quote.name;
    cells.state.show(quote.state, quote.refused !== null ? "refused" : (quote.session ?? ""));
    cells.flag.show(quote.state === "open" ? "" : quote.state);
    this.#lit = now - quote.movedAt < LIT_MS ? quote.moved : 0;
    cells.price.show(price(quote.price, quote.decimals), this.#lit === 0 ? "" : this.#lit > 0 ? "up" : "down");
    const change = signed(quote.change, quote.decimals);
    const share = percent(quote.percent);
    cells.change.show(change, way(change));
    cells.percent.show(share, way(share));
    cells.spread.show(price(quote.spread, quote.decimals));
    cells.volume.show(compact(quote.volume));
    this.#trace(quote);
    return this.#lit !== 0;
  }

  /** Show what does not change with ticks. */
  dress(pinned: boolean, chosen: boolean): void {
    if (this.quote === null) return;
    this.#pin.setAttribute("aria-pressed", String(pinned));
    this.#pin.setAttribute("aria-label", `Pin ${this.quote.symbol}`);
    this.element.setAttribute("aria-selected", String(chosen));
    this.#cells.volume.element.title = count(this.quote.volume);
  }

  #trace(quote: Quote): void {
    if (this.#drawn === quote.trace.version) return;
    this.#drawn = quote.trace.version;
    this.#line.setAttribute("d", path(quote.trace.points, WIDTH, HEIGHT));
    const rise = (quote.trace.points.at(-1)?.price ?? 0) - (quote.trace.points[0]?.price ?? 0);
    this.#line.dataset.way = way(signed(rise, quote.decimals));
  }

  #sketch(): SVGSVGElement {
    return drawing(WIDTH, HEIGHT, this.#line);
  }
}

function star(): SVGSVGElement {
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", "M12 3l2.8 5.7 6.2.9-4.5 4.4 1.1 6.2L12 17.3l-5.6 2.9 1.1-6.2L3 9.600l6.200-.9z");
  return drawing(24, 24, path);
}

function drawing(width: number, height: number, path: SVGPathElement): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(path);
  return svg;
}
