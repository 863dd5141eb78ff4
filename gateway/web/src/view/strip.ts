/** The health strip: how the connection stands, as this very page sees it. */
import type { Status } from "tickwire-client";
import { compact, count, milliseconds } from "../pure/format";
import { by, mark, write } from "./dom";

export class Strip {
  #ticks = 0;
  #at = 0;

  /** Show *status*; *now*: ms of any clock that only goes on. */
  show(status: Status, now: number): void {
    write(by("latency"), milliseconds(status.latency?.p50));
    write(by("latency-p99"), milliseconds(status.latency?.p99));
    this.#feed(status);
    this.#counts(status);
    const passed = now - this.#at;
    if (passed < 900) return;
    write(by("rate"), count(Math.max(0, Math.round(((status.ticks - this.#ticks) * 1000) / passed))));
    this.#ticks = status.ticks;
    this.#at = now;
  }

  /** What this page asks for, and how it draws.  *rate*: null: every tick.  *frames*: per second; null: nothing moves. */
  drawn(rate: number | null, auto: boolean, frames: number | null): void {
    const asked = rate === null ? "every tick" : `${rate}/s`;
    write(by("asked"), auto ? `${asked} auto` : asked);
    write(by("fps"), frames === null ? "–" : String(frames));
  }

  #feed({ state }: Status): void {
    const feed = by("feed");
    write(feed, state === "live" || state === "stale" ? state : "away");
    mark(feed, "bad", state === "live" ? "" : "yes");
  }

  #counts(status: Status): void {
    write(by("reconnects"), count(status.reconnects));
    write(by("gaps"), count(status.gaps));
    write(by("missing"), status.missing > 0 ? ` (${compact(status.missing)} missing)` : "");
    write(by("conflated"), compact(status.conflated));
    by("conflated").title = count(status.conflated);
    write(by("violations"), count(status.violations));
    mark(by("gaps"), "bad", status.gaps > 0 ? "yes" : "");
    mark(by("violations"), "bad", status.violations > 0 ? "yes" : "");
  }
}

/** The line beside the name: *state* for its colour, *text* for people. */
export function stand(state: string, text: string): void {
  const line = by("connection");
  mark(line, "state", state);
  mark(document.body, "state", state);
  write(line, text);
}

/** The banner, for a sentence that says what to do; empty: none. */
export function notice(text: string): void {
  const line = by("notice");
  write(line, text);
  line.hidden = text === "";
}
