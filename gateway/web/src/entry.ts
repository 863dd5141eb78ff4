/** How this page gets in: which token it shows, and what is said where it is not let in. */
import type { Frame, Status, TickwireError } from "tickwire-client";
import { AWAY, EXPIRED, EXPIRES, OVERLOADED, REFUSED, STALE, verdict, WANTED } from "./pure/words";
import { Door } from "./view/door";
import { notice, stand } from "./view/strip";

const TOKEN_EXPIRED = 4401;
const FULL = 1013;
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
  /** How the last connection ended. */
  #code = 0;
  #awaySince = Number.POSITIVE_INFINITY;
  /** A sentence that stays until something better is known. */
  #said: string;

  constructor(
    private readonly hooks: EntryHooks,
    faults: readonly string[],
  ) {
    this.#said = faults.join(" ");
    notice(this.#said);
  }

  get kept(): string | null {
    return this.#door.kept;
  }

  /** The client asks for a token: before a connection, or because the one in force expires. */
  readonly token = (): string | Promise<string> => {
    const expired = this.#code === TOKEN_EXPIRED && this.kept === null;
    if (!this.#connected && !expired) return this.kept ?? "";
    this.#door.ask(expired ? EXPIRED : EXPIRES);
    return new Promise((give) => {
      this.#give = give;
    });
  };

  /** A connection has ended. */
  closed(code: number): void {
    this.#code = code;
    if (code !== TOKEN_EXPIRED) return;
    this.#door.forget();
    stand("refused", WANTED);
  }

  /** The client has given up, or the gateway has said no to something that is not of one symbol. */
  failed(error: TickwireError): void {
    if (!error.final) {
      if (error.code === "token_refused") this.#refusedInBand();
      else if (error.code === "bad_request")
        this.#said = `The gateway did not obey: ${error.message}. Reload the page.`;
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

  status({ state }: Status): void {
    if (state === "failed" || state === "closed") return;
    if (state === "live" || state === "stale") {
      stand(state, "connected");
      notice(state === "stale" ? STALE : this.#said);
      this.#awaySince = Number.POSITIVE_INFINITY;
      this.#code = 0;
      if (this.#give === null && this.#entering === null) this.#door.shut();
      return;
    }
    if (this.#give !== null) return; // it waits for a token, and says so
    stand(state, this.#code === FULL ? OVERLOADED : state);
    this.#awaySince = Math.min(this.#awaySince, performance.now());
  }

  /** A frame: only whether a token was accepted is looked for, which the client does not tell. */
  frame({ direction, text }: Frame): void {
    if (
      this.#entering === null ||
      direction !== "in" ||
      !/^\{"op": ?"authorized","id": ?\d/.test(text.replace(/", "/g, '","'))
    )
      return;
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
    if (give !== null && this.#connected) this.#entering = token;
    else this.#door.keep(token);
    if (give !== null) give(token);
    else this.hooks.open();
  }

  get #connected(): boolean {
    const state = this.hooks.status()?.state;
    return state === "live" || state === "stale";
  }

  #refusedInBand(): void {
    this.#entering = null;
    this.#door.ask(REFUSED);
  }
}
