/** The token: asked for in a form, kept for this tab only (sessionStorage), never in an address. */
import { by, write } from "./dom";

const KEY = "tickwire.token";
/** What a subprotocol may be made of. */
const PATTERN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
const SHAPE = "A token has letters, digits and signs such as . _ -, and no blank.";

export class Door {
  readonly #form = by<HTMLFormElement>("door");
  readonly #field = by<HTMLInputElement>("token");
  readonly #wanted = by("wanted");
  /** Whether a token was entered since this page was loaded. */
  tried = false;

  constructor(private readonly use: (token: string) => void) {
    this.#form.addEventListener("submit", (event) => this.#submit(event));
  }

  get kept(): string | null {
    return sessionStorage.getItem(KEY);
  }

  keep(token: string): void {
    sessionStorage.setItem(KEY, token);
  }

  forget(): void {
    sessionStorage.removeItem(KEY);
  }

  ask(words: string): void {
    write(this.#wanted, words);
    if (!this.#form.hidden) return;
    this.#form.hidden = false;
    this.#field.focus();
  }

  shut(): void {
    this.#form.hidden = true;
    write(this.#wanted, "");
  }

  #submit(event: Event): void {
    event.preventDefault();
    const token = this.#field.value.trim();
    this.#form.reset();
    if (!PATTERN.test(token)) {
      write(this.#wanted, SHAPE);
      return;
    }
    this.tried = true;
    this.use(token);
  }
}
