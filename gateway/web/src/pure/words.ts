/** What went wrong, and what to do about it, as sentences. */
import type { TickwireError } from "tickwire-client";

export interface Verdict {
  /** For the line that says how the connection stands. */
  readonly state: string;
  /** For the banner: what to do. */
  readonly advice: string;
  /** What the form for a token says; null: it is not needed. */
  readonly token: string | null;
}

/** *had*: whether a token was shown.  *origin*: of this page. */
export function verdict(error: Pick<TickwireError, "code" | "message">, had: boolean, origin: string): Verdict {
  const say = (state: string, advice: string, token: string | null = null): Verdict => ({ state, advice, token });
  switch (error.code) {
    case "token_required":
      return say(WANTED, "", "This gateway asks for a token.");
    case "token_refused":
      if (!had) return say(WANTED, "", "This gateway asks for a token.");
      return say(WANTED, "", expired(error.message) ? EXPIRED : REFUSED);
    case "forbidden":
      return say(
        `refused: this gateway serves no pages of ${origin}`,
        `Open the page at the gateway's own address, or let whoever runs it add ${origin} to TICKWIRE_ORIGINS.`,
      );
    case "protocol":
      return say(
        "refused: no Tickwire gateway",
        `What answers is not a Tickwire gateway of this page's version: reload the page. (${error.message})`,
      );
    default:
      return say(`refused: ${error.message}`, "Reload the page to try again.");
  }
}

/** Why a symbol is not followed, for its row. */
export function refusal(code: string): string {
  return code === "too_many" ? "too many symbols" : code;
}

/** What the page knows of the symbols. */
export interface Knowing {
  readonly known: number;
  readonly refused: number;
  /** Whether the gateway has said which there are. */
  readonly answered: boolean;
  /** Whether a token is shown. */
  readonly token: boolean;
}

/** There is nothing in the list: why, and what to do. */
export function nothing(sought: string, { known, refused, answered, token }: Knowing): string {
  if (known > 0 && sought !== "") return `Nothing here is called ${sought}. Escape shows all ${known}.`;
  if (known > 0) return refused < known ? "" : "None of these symbols is served to this page: their rows say why.";
  if (!answered) return "Waiting for the gateway's list of symbols.";
  if (token) return "Your token allows no symbol. Ask whoever gave it to you for another one.";
  return "No symbols yet. The list fills once the gateway hears a producer.";
}

export const WANTED = "a token is wanted";
export const EXPIRES = "The token expires within a minute: enter a new one.";
export const EXPIRED = "The token has expired: enter a new one.";
export const REFUSED = "The token is refused.";
/** The gateway hears no producer. */
export const STALE =
  "Prices may be old: the gateway hears no producer, or has lost the broker. It goes on by itself; nothing needs to be done here.";
export const AWAY = "The gateway is away. Prices are the last known ones; this page tries again by itself and resumes.";
export const OVERLOADED = "the gateway takes no more clients now, trying again";
export const UNSUPPORTED =
  "This browser is too old for this page, which needs WebSocket and JavaScript of 2022: use Chrome or Edge 123, Firefox 120, Safari 17.5 or later.";

function expired(message: string): boolean {
  return /expired|4401/.test(message);
}
