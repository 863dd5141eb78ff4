/** How this page gets in: which token it shows, and what is said where it is not let in. */
import type { Frame, Status, TickwireError } from "tickwire-client";
import { AWAY, OVERLOADED, STALE, verdict } from "./pure/words";
import { Door } from "./view/door";
import { notice, stand } from "./view/strip";

const EXPIRES = "The token expires within a minute: enter a new one.";
const REFUSED = "The token is refused.";
/** Milliseconds that a gateway may be away before the banner says so: most are back before anybody has read it. */
const PATIENCE_MS = 1_500;

export interface EntryHooks {
  /** Connect anew, with the token that is kept. */
  readonly open: () => void;
  readonly status: () => Status | null;
}

export class Entry {
  readonly #door = new Door((token) => this.#entered(token));
  /** Gives the token that a running connection waits for. */
  #give: ((token: string) => void) | null = null;
  /** The token that was given and is not accepted yet: until then the one before is in force. */
  #entering: string | null = null;
  #awaySince = Number.POSITIVE_INFINITY;
  /** A sentence that stays until something better is known. */
  #said: string;

  constructor(private readonly hooks: EntryHooks, faults: readonly string[]) {
    this.#said = faults.join(" ");
    notice(this.#said);
  }

  get kept(): string | null {
    return this.#door.kept;
  }

  /** The client asks for a token: before a connection, or because the one in force expires. */
  readonly token = (): string | Promise<string> => {
    const state = this.hooks.status()?.state;
    if (state !== "live" && state !== "stale") return this.#door.kept ?? "";
    this.#door.ask(EXPIRES);
    return new Promise((give) => { this.#give = give; });
  };

  /** The client has given up, or the gateway has said no to something that is not of one symbol. */
  failed(error: TickwireError): void {
    if (!error.final) {
      if (error.code === "token_refused") this.#refusedInBand();
      else if (error.code === "bad_request") notice(`The gateway did not obey: ${error.message}.`);
      return;
    }
    const said = verdict(error, this.#door.tried || this.#door.kept !== null, location.origin);
    stand("refused", said.state);
    notice(said.advice);
    this.#awaySince = Number.POSITIVE_INFINITY;
    if (said.token === null) return;
    this.#door.forget();
    this.#door.ask(said.token);
  }

  status({ state, error }: Status): void {
    if (state === "failed" || state === "closed") return;
    if (state === "live" || state === "stale") {
      stand(state, "connected");
      notice(state === "stale" ? STALE : this.#said);
      this.#awaySince = Number.POSITIVE_INFINITY;
      if (this.#give === null && this.#entering === null) this.#door.shut();
      return;
    }
    const full = /1013|overloaded/.test(error?.message ?? "");
    stand(state, full ? OVERLOADED : state);
    this.#awaySince = Math.min(this.#awaySince, performance.now());
  }

  /** A frame: only whether a token was accepted is looked for, which the client does not tell. */
  frame({ direction, text }: Frame): void {
    if (this.#entering === null || direction !== "in" || !/^\{"op": ?"authorized","id": ?\d/.test(text.replace(/", "/g, '","'))) return;
    this.#door.keep(this.#entering);
    this.#entering = null;
    this.#door.shut();
  }

  /** Say that the gateway is away, once that lasts. */
  look(now: number): void {
    if (now - this.#awaySince > PATIENCE_MS) notice(AWAY);
  }

  #entered(token: string): void {
    const give = this.#give;
    this.#give = null;
    if (give !== null) {
      this.#entering = token;
      give(token);
      return;
    }
    this.#door.keep(token);
    this.hooks.open();
  }

  #refusedInBand(): void {
    this.#entering = null;
    this.#door.ask(REFUSED);
  }
}
