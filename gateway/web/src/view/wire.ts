/** What the wire says: the last raw frames, and every gap. */
import type { Frame, Gap } from "tickwire-client";
import { clock, count } from "../pure/format";
import { type Line, Recording } from "../pure/recording";
import { by, make, write } from "./dom";

/** Frames shown at once, and characters of each; copying takes them whole. */
const MOST_SHOWN = 150;
const MOST_CHARACTERS = 600;
const MOST_GAPS = 100;
type Tab = "frames" | "gaps";

export class Wire {
  readonly #box = by("wire");
  readonly #recording = new Recording();
  readonly #lines = make("ol", { id: "frames", "data-testid": "frames", tabindex: "0", "aria-label": "Frames" });
  readonly #filter = make("input", {
    type: "search",
    id: "wire-filter",
    "data-testid": "wire-filter",
    placeholder: "Filter",
    "aria-label": "Filter frames",
    spellcheck: "false",
  });
  readonly #pause = make("button", { type: "button", "aria-pressed": "false", "data-testid": "wire-pause" }, "Pause");
  readonly #count = make("output", { "data-testid": "wire-count" });
  readonly #tabs = new Map<Tab, HTMLButtonElement>();
  readonly #gaps: { readonly gap: Gap; readonly at: number }[] = [];
  #tab: Tab = "frames";
  #drawn = "";

  constructor() {
    this.#build();
    by("wire-open").addEventListener("click", () => this.toggle());
    by("gaps-open").addEventListener("click", () => this.toggle("gaps"));
  }

  get open(): boolean {
    return !this.#box.hidden;
  }

  take(frame: Frame): void {
    this.#recording.take(frame);
  }

  note(gap: Gap, at: number): void {
    this.#gaps.push({ gap, at });
    if (this.#gaps.length > MOST_GAPS) this.#gaps.shift();
  }

  toggle(tab?: Tab): void {
    const open = this.open && (tab === undefined || tab === this.#tab);
    if (tab !== undefined) this.#turn(tab);
    this.#box.hidden = open;
    by("wire-open").setAttribute("aria-expanded", String(!open));
    if (open) by("grid").focus();
    else this.#box.focus();
    this.draw();
  }

  /** Show what has come; a few times a second, while it is open. */
  draw(): void {
    if (!this.open) return;
    const lines = this.#tab === "frames" ? this.#recording.matching(this.#filter.value, MOST_SHOWN) : [];
    const drawn = `${this.#tab} ${lines[0]?.number} ${lines.at(-1)?.number} ${this.#gaps.length} ${this.#gaps.at(-1)?.at}`;
    if (this.#tab === "frames")
      write(this.#count, `${count(lines.length)} shown, ${count(this.#recording.total)} in all`);
    else write(this.#count, this.#gaps.length === 0 ? "" : `the last ${this.#gaps.length}`);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    const down = this.#lines.scrollHeight - this.#lines.scrollTop - this.#lines.clientHeight < 40;
    this.#lines.replaceChildren(...(this.#tab === "frames" ? lines.map(shown) : this.#told()));
    if (down) this.#lines.scrollTop = this.#lines.scrollHeight;
  }

  #told(): HTMLElement[] {
    if (this.#gaps.length === 0)
      return [
        make(
          "li",
          { class: "soft" },
          "No gaps: every tick since this page was opened has come, or was conflated as this page asked.",
        ),
      ];
    return this.#gaps.map(({ gap, at }) => {
      const { symbol, epoch, from, to, reason, final } = gap;
      const which = to === null ? `from ${from} on` : from === to ? `tick ${from}` : `ticks ${from} to ${to}`;
      const end = final ? "nobody has them" : "perhaps GET /v1/ticks has them later";
      return make(
        "li",
        { class: "gap" },
        make("time", {}, clock(at)),
        ` ${symbol}: ${which} of run ${epoch} are not coming (${reason.replaceAll("_", " ")}; ${end})`,
      );
    });
  }

  #turn(tab: Tab): void {
    this.#tab = tab;
    for (const [name, button] of this.#tabs) button.setAttribute("aria-pressed", String(name === tab));
    this.#filter.hidden = this.#pause.hidden = tab === "gaps";
  }

  async #copy(button: HTMLButtonElement): Promise<void> {
    const text =
      this.#tab === "gaps"
        ? [...this.#lines.children].map((line) => line.textContent).join("\n")
        : this.#recording
            .matching(this.#filter.value, Number.POSITIVE_INFINITY)
            .map((line) => line.text)
            .join("\n");
    try {
      await navigator.clipboard.writeText(text);
      write(button, "Copied");
    } catch {
      // Plain HTTP of another host has no clipboard: select what is shown, for Ctrl+C.
      getSelection()?.selectAllChildren(this.#lines);
      write(button, "Press Ctrl+C");
    }
    setTimeout(() => write(button, "Copy"), 2_000);
  }

  #build(): void {
    const tabs = make("div", { role: "group", "aria-label": "What is shown", class: "switches" });
    for (const [name, text] of [
      ["frames", "Frames"],
      ["gaps", "Gaps"],
    ] as const) {
      const button = make("button", { type: "button", "data-testid": `wire-${name}` }, text);
      button.addEventListener("click", () => {
        this.#turn(name);
        this.draw();
      });
      this.#tabs.set(name, button);
      tabs.append(button);
    }
    this.#pause.addEventListener("click", () => this.#hold());
    this.#filter.addEventListener("input", () => this.draw());
    const copy = make("button", { type: "button", "data-testid": "wire-copy" }, "Copy");
    copy.addEventListener("click", () => void this.#copy(copy));
    const close = make("button", { type: "button", "data-testid": "wire-close" }, "Close");
    close.addEventListener("click", () => this.toggle());
    this.#box.append(
      make(
        "div",
        { class: "bar" },
        make("h2", {}, "The wire"),
        tabs,
        this.#filter,
        this.#pause,
        copy,
        this.#count,
        close,
      ),
      this.#lines,
    );
    this.#turn("frames");
  }

  #hold(): void {
    this.#recording.paused = !this.#recording.paused;
    this.#pause.setAttribute("aria-pressed", String(this.#recording.paused));
    write(this.#pause, this.#recording.paused ? "Go on" : "Pause");
  }
}

function shown({ direction, text, at }: Line): HTMLElement {
  const cut =
    text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)} … ${count(text.length)} characters` : text;
  const way = make(
    "b",
    { class: direction, title: direction === "in" ? "from the gateway" : "to the gateway" },
    direction === "in" ? "◂" : "▸",
  );
  return make("li", {}, make("time", {}, clock(at)), way, make("code", {}, cut));
}
