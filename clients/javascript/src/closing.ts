/** Which endings make coming back pointless: the protocol's table of close codes.  Pure. */
import { type ErrorCode, TickwireError } from "./errors.js";

const TOKEN_EXPIRED = 4401;
const TOKEN_REFUSED = 4501;
const FORBIDDEN = 4503;
const POLICY = 1008;

/** How a connection ended. */
export interface Ending {
  readonly code: number;
  readonly reason: string;
  /** Milliseconds that a `Retry-After` names. */
  readonly after?: number;
}

/**
 * The error that ends the feed at this address, undefined where coming back may help.  *token*: whether one was shown;
 * *renewable*: whether the next connection may show another one.
 */
export function refusal(ending: Ending, token: boolean, renewable: boolean): TickwireError | undefined {
  const { code, reason } = ending;
  const sentence = `the gateway closed with ${code}${reason && `: ${reason}`}`;
  if (code === TOKEN_REFUSED || (code === TOKEN_EXPIRED && !renewable)) {
    return new TickwireError(token ? "token_refused" : "token_required", sentence);
  }
  if (code === FORBIDDEN || code === POLICY) return new TickwireError("forbidden", sentence);
  if ([1002, 1003, 1007, 1009, 1010].includes(code) || (code > 4499 && code < 5000)) {
    return new TickwireError("protocol", sentence);
  }
  return undefined;
}

/** The error for the protocol's *reason* not to follow *symbol*. */
export function rejection(symbol: string, reason: string): TickwireError {
  const codes: Record<string, ErrorCode> = {
    unknown_symbol: "unknown_symbol",
    not_entitled: "not_entitled",
    delayed_unavailable: "not_entitled",
    too_many_symbols: "too_many",
  };
  return new TickwireError(codes[reason] ?? "bad_request", `${symbol}: ${reason.replaceAll("_", " ")}`, true, symbol);
}
