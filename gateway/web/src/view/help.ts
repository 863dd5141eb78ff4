/** The keys, and the words of the health strip. */
import { by, make } from "./dom";
import { keep, read } from "./theme";

const KEY = "tickwire.letters";
const KEYS: readonly (readonly [string, string])[] = [
  ["/", "Search"],
  ["↑ ↓", "Another row"],
  ["Page ↑ ↓, Home, End", "Further"],
  ["Enter", "Its chart"],
  ["p", "Pin it to the top, or not"],
  ["1, 2", "Candles of 1 second, of 1 minute"],
  ["w", "What the wire says"],
  ["t", "Light or dark"],
  ["Esc", "Leave or close"],
  ["?", "This"],
];
const WORDS: readonly (readonly [string, string])[] = [
  ["Stale", "The gateway hears no producer: prices may be old."],
  ["Latency", "From the tick's event to this page, the clocks' offset taken out."],
  ["Conflated", "Ticks left out because this page asked for fewer: each price shown is still the newest one."],
  ["Gaps", "Ticks that the gateway said are not coming. None is ever missing without a word."],
  ["Asked", "Updates per second and symbol. Auto is as many as this page can draw without a late frame."],
];

export class Help {
  readonly #dialog = by<HTMLDialogElement>("help");
  letters = read(KEY) !== "off";

  constructor(private readonly turn: () => void) {
    by("help-open").addEventListener("click", () => this.toggle());
    this.#build();
  }

  get open(): boolean {
    return this.#dialog.open;
  }

  toggle(): void {
    if (this.#dialog.open) this.#dialog.close();
    else this.#dialog.showModal();
  }

  #build(): void {
    const list = (rows: typeof KEYS, tag: "kbd" | "b") =>
      make(
        "dl",
        {},
        ...rows.map(([name, text]) => make("div", {}, make("dt", {}, make(tag, {}, name)), make("dd", {}, text))),
      );
    const choice = make("input", { type: "checkbox", id: "letters", "data-testid": "letters" });
    choice.checked = this.letters;
    choice.addEventListener("change", () => {
      this.letters = choice.checked;
      keep(KEY, this.letters ? "on" : "off");
    });
    const theme = make("button", { type: "button", "data-testid": "help-theme" }, "Light or dark");
    theme.addEventListener("click", () => this.turn());
    const close = make("button", { type: "button", "data-testid": "help-close" }, "Close");
    close.addEventListener("click", () => this.#dialog.close());
    this.#dialog.append(
      make("div", { class: "bar" }, make("h2", { id: "help-title" }, "Keys"), close),
      list(KEYS, "kbd"),
      make("div", { class: "choice" }, make("label", {}, choice, "Single letters are shortcuts"), theme),
      make("h2", {}, "Words"),
      list(WORDS, "b"),
      make("p", {}, make("a", { href: "./docs", "data-testid": "docs" }, "The wires, for programs")),
    );
  }
}
