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
  throw badRequest(`${name} is ${given}, but must be from ${least} to ${most}`);
}

/** Return if each position is of one of *symbols*, and of one that is not *followed* yet. */
export function checkResume(
  resume: Record<string, Position>,
  symbols: readonly string[],
  followed: (symbol: string) => boolean,
): void {
  for (const [symbol, { epoch, seq }] of Object.entries(resume)) {
    if (!symbols.includes(symbol) || followed(symbol)) {
      throw badRequest(`${symbol} is not among the symbols, or followed already: it cannot resume elsewhere`);
    }
    if (!Number.isSafeInteger(epoch) || !Number.isSafeInteger(seq)) {
      throw badRequest(`resume of ${symbol} is ${epoch}, ${seq}, but must be two integers`);
    }
  }
}
