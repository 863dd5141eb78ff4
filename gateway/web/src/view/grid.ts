/** The list of all symbols, of which only the rows that are looked at stand on the page. */
import { arranged, BY_SYMBOL, type Column, moves, type Order, turned } from "../pure/order";
import type { Quote } from "../pure/quote";
import { revealed, stretch } from "../pure/stretch";
import { by, make, mark } from "./dom";
import { Slot } from "./slot";

/** Milliseconds between two sortings by a figure that moves. */
const SORT_MS = 1_000;
const HEADS: readonly (readonly [Column | null, string, string])[] = [
  [null, "pinned", "Pin"],
  ["symbol", "symbol", "Symbol"],
  ["state", "state", "Session"],
  [null, "trace", "30 min"],
  ["price", "price", "Last"],
  ["change", "change", "Change"],
  ["percent", "percent", "Change %"],
  ["spread", "spread", "Spread"],
  ["volume", "volume", "Volume"],
];

export interface GridHooks {
  readonly quotes: ReadonlyMap<string, Quote>;
  readonly pins: ReadonlySet<string>;
  readonly request: () => void;
  readonly choose: (quote: Quote) => void;
  readonly pin: (quote: Quote) => void;
  /** The rows that are looked at now. */
  readonly seen: (quotes: readonly Quote[]) => void;
}

export class Grid {
  readonly #grid = by("grid");
  readonly #rows = by("rows");
  readonly #slots: Slot[] = [];
  #shown: Quote[] = [];
  #order: Order = BY_SYMBOL;
  #sought = "";
  #active: Quote | null = null;
  #chosen: Quote | null = null;
  #first = 0;
  #end = 0;
  #row = 40;
  #height = 0;
  #cover = 0;
  #sortedAt = 0;
  #stale = true;
  #moved = true;

  constructor(private readonly hooks: GridHooks) {
    this.#head();
    this.#grid.addEventListener("scroll", () => this.#look(), { passive: true });
    this.#grid.addEventListener("focus", () => this.#focused());
    this.#rows.addEventListener("click", (event) => this.#click(event));
    new ResizeObserver(() => this.#measure()).observe(this.#grid);
  }

  get count(): number {
    return this.#shown.length;
  }

  /** The first row. */
  get top(): Quote | null {
    return this.#shown[0] ?? null;
  }

  get active(): Quote | null {
    return this.#active;
  }

  get sought(): string {
    return this.#sought;
  }

  /** The list itself has changed: symbols, names, pins. */
  rearrange(): void {
    this.#stale = true;
    this.hooks.request();
  }

  search(sought: string): void {
    this.#sought = sought.trim().toUpperCase();
    this.#arrange();
    this.#activate(this.#sought === "" ? this.#active : (this.#shown[0] ?? null));
    this.#grid.scrollTop = 0;
    this.#look();
  }

  choose(quote: Quote): void {
    this.#chosen = quote;
    this.#activate(quote);
  }

  /** Choose where nobody asked for it: scroll and active row stay as they are. */
  suggest(quote: Quote): void {
    this.#chosen = quote;
    this.#look();
  }

  /** Make the row *by* further the active one; from none, the first that is seen. */
  move(by: number): void {
    const at = this.#active === null ? -1 : this.#shown.indexOf(this.#active);
    const to = at < 0 ? Math.floor(this.#grid.scrollTop / this.#row) : at + by;
    this.#activate(this.#shown[Math.max(0, Math.min(this.#shown.length - 1, to))] ?? null);
  }

  /** Rows of a page. */
  get page(): number {
    return Math.max(1, Math.floor((this.#height - this.#cover) / this.#row) - 1);
  }

  /** Draw what has changed since the last frame.  *dirty*: quotes with news. */
  draw(now: number, dirty: ReadonlySet<Quote>): void {
    if (this.#stale || (moves(this.#order) && now - this.#sortedAt > SORT_MS)) this.#arrange(now);
    const all = this.#moved;
    if (all) this.#place();
    for (let i = this.#first; i < this.#end; i += 1) {
      const slot = this.#slot(i);
      if (slot.quote === null || !(all || dirty.has(slot.quote) || this.#lit.has(slot))) continue;
      if (slot.paint(now)) this.#lit.add(slot);
      else this.#lit.delete(slot);
    }
    if (this.#lit.size > 0) this.hooks.request();
  }

  readonly #lit = new Set<Slot>();

  #arrange(now = performance.now()): void {
    this.#shown = arranged(this.hooks.quotes.values(), this.#order, this.hooks.pins, this.#sought);
    this.#sortedAt = now;
    this.#stale = false;
    this.#grid.setAttribute("aria-rowcount", String(this.#shown.length + 1));
    this.#rows.style.height = `${this.#shown.length * this.#row}px`;
    this.#moved = true;
  }

  #place(): void {
    this.#moved = false;
    const { first, end } = stretch(this.#grid.scrollTop, this.#height, this.#row, this.#shown.length);
    this.#first = first;
    this.#end = end;
    this.#supply(end - first);
    const used = new Set<Slot>();
    for (let i = first; i < end; i += 1) {
      const slot = this.#slot(i);
      const quote = this.#shown[i] as Quote;
      slot.place(i, quote, this.#row);
      slot.dress(this.hooks.pins.has(quote.symbol), quote === this.#chosen);
      used.add(slot);
    }
    for (const slot of this.#slots) slot.element.hidden = !used.has(slot);
    this.#point();
    this.hooks.seen(this.#shown.slice(first, end));
  }

  /** The slot of row *index*: the same one as long as the row is near, so that scrolling changes few. */
  #slot(index: number): Slot {
    return this.#slots[index % this.#slots.length] as Slot;
  }

  #supply(wanted: number): void {
    if (wanted <= this.#slots.length) return;
    while (this.#slots.length < wanted) {
      const slot = new Slot(this.#slots.length);
      this.#slots.push(slot);
      this.#rows.append(slot.element);
    }
    for (const slot of this.#slots) slot.index = -1;
  }

  /** The keyboard has come here.  A mouse brings the focus, too: then nothing may move before its click is done. */
  #focused(): void {
    if (this.#grid.matches(":focus-visible")) this.move(0);
  }

  #look(): void {
    this.#moved = true;
    this.hooks.request();
  }

  #measure(): void {
    const style = getComputedStyle(this.#grid);
    this.#height = this.#grid.clientHeight;
    this.#cover = by("head").offsetHeight;
    const row = Number.parseFloat(style.getPropertyValue("--row")) || 40;
    if (row !== this.#row) for (const slot of this.#slots) slot.index = -1;
    this.#row = row;
    this.rearrange();
  }

  #activate(quote: Quote | null): void {
    this.#active = quote;
    if (this.#stale) this.#arrange();
    const index = quote === null ? -1 : this.#shown.indexOf(quote);
    if (index >= 0) {
      this.#grid.scrollTop = revealed(index, this.#grid.scrollTop, this.#height, this.#row, this.#cover);
    }
    this.#look();
  }

  /** Tell assistive technology, and the eye, which row is the active one. */
  #point(): void {
    let found = "";
    for (const slot of this.#slots) {
      const active = !slot.element.hidden && slot.quote !== null && slot.quote === this.#active;
      slot.element.classList.toggle("active", active);
      if (active) found = slot.element.id;
    }
    if (found === "") this.#grid.removeAttribute("aria-activedescendant");
    else this.#grid.setAttribute("aria-activedescendant", found);
  }

  #click(event: Event): void {
    const target = event.target as Element;
    const symbol = target.closest<HTMLElement>(".row")?.dataset.symbol;
    const quote = symbol === undefined ? undefined : this.hooks.quotes.get(symbol);
    if (quote === undefined) return;
    if (target.closest(".pin")) this.hooks.pin(quote);
    else this.hooks.choose(quote);
  }

  #head(): void {
    const row = make("div", { role: "row", class: "row heads", "aria-rowindex": "1" });
    for (const [column, name, title] of HEADS) {
      const head = make("div", {
        role: "columnheader",
        class: `cell ${name}`,
        "aria-colindex": String(row.childElementCount + 1),
      });
      if (column === null) head.append(make("span", name === "pinned" ? { class: "unseen" } : {}, title));
      else {
        const button = make("button", { type: "button", "data-testid": `sort-${column}` }, title);
        button.addEventListener("click", () => this.#sort(column));
        head.append(button);
        head.dataset.column = column;
      }
      row.append(head);
    }
    by("head").append(row);
    this.#grid.setAttribute("aria-colcount", String(HEADS.length));
    this.#sign();
  }

  #sort(column: Column): void {
    this.#order = turned(this.#order, column);
    this.#sign();
    this.rearrange();
  }

  #sign(): void {
    for (const head of by("head").querySelectorAll<HTMLElement>("[data-column]")) {
      const sorted = head.dataset.column === this.#order.column;
      head.setAttribute("aria-sort", !sorted ? "none" : this.#order.descending ? "descending" : "ascending");
      mark(head, "sort", !sorted ? "" : this.#order.descending ? "down" : "up");
    }
  }
}
