/** What may be asked for.  Pure; throws `bad_request` naming what is wrong and what is allowed. */
import { TickwireError } from "./errors.js";
import type { Position } from "./types.js";

const SYMBOL = /^[A-Z0-9][A-Z0-9.-]{0,15}$/;

export function badRequest(message: string): TickwireError {
  return new TickwireError("bad_request", message);
}

/** The names, each once. */
export function symbolsOf(given: string | readonly string[]): string[] {
  const symbols = [...new Set(typeof given === "string" ? [given] : given)];
  const bad = symbols.filter((symbol) => !SYMBOL.test(symbol));
  if (!bad.length && symbols.length) return symbols;
  const shown = bad.map((symbol) => JSON.stringify(symbol)).join() || "nothing";
  throw badRequest(`${shown} is no symbol: capitals, digits, . and -, 1 to 16`);
}

/** *given*, which is within the bounds, or undefined. */
export function numberOf(name: string, given: number | undefined, least: number, most: number): number | undefined {
  if (given === undefined || (given >= least && given <= most)) return given;
  throw notAllowed(name, given, `from ${least} to ${most}`);
}

/** Return if *given* is one of *allowed*. */
export function oneOf(name: string, given: string, ...allowed: string[]): void {
  if (!allowed.includes(given)) throw notAllowed(name, given, allowed.join(" or "));
}

/** Return if each position is of one of *symbols*, and of one that is not *followed* yet. */
export function checkResume(
  resume: Record<string, Position>,
  symbols: readonly string[],
  followed: (symbol: string) => boolean,
): void {
  for (const [symbol, { epoch, seq }] of Object.entries(resume)) {
    if (!symbols.includes(symbol) || followed(symbol)) {
      throw notAllowed("resume", symbol, "one of the symbols, and not followed yet");
    }
    if (!Number.isSafeInteger(epoch) || !Number.isSafeInteger(seq)) {
      throw notAllowed(`resume of ${symbol}`, `${epoch}, ${seq}`, "two integers");
    }
  }
}

function notAllowed(name: string, given: unknown, allowed: string): TickwireError {
  return badRequest(`${name} is ${given}, but must be ${allowed}`);
}
