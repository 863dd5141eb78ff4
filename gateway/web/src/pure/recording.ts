/** The last frames that went over the wire, bounded in number and characters. */
import type { Frame } from "tickwire-client";

export const MOST_FRAMES = 500;
export const MOST_CHARACTERS = 2_000_000;

export interface Line extends Frame {
  /** Counts the frames of this page from 1. */
  readonly number: number;
}

export class Recording {
  #lines: Line[] = [];
  #characters = 0;
  #number = 0;
  paused = false;

  /** Frames that came, whether kept or not. */
  get total(): number {
    return this.#number;
  }

  get size(): number {
    return this.#lines.length;
  }

  take(frame: Frame): void {
    this.#number += 1;
    if (this.paused) return;
    this.#lines.push({ ...frame, number: this.#number });
    this.#characters += frame.text.length;
    while (this.#lines.length > MOST_FRAMES || (this.#characters > MOST_CHARACTERS && this.#lines.length > 1)) {
      this.#characters -= this.#lines.shift()?.text.length ?? 0;
    }
  }

  clear(): void {
    this.#lines = [];
    this.#characters = 0;
  }

  /** The newest *most* frames that have *sought* in them, whatever the case; oldest first. */
  matching(sought: string, most: number): Line[] {
    const found: Line[] = [];
    const wanted = sought.toLowerCase();
    for (let i = this.#lines.length - 1; i >= 0 && found.length < most; i -= 1) {
      const line = this.#lines[i] as Line;
      if (wanted === "" || line.text.toLowerCase().includes(wanted)) found.push(line);
    }
    return found.reverse();
  }
}
