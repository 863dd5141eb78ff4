/**
 * A client's side of the promise: the last position of a symbol that is accounted for.  Pure.
 *
 * Only the five frames of the protocol's table of cursors move it; each method applies one of them and returns whether
 * that was legal.  An illegal frame still moves the cursor, so that one fault is counted once.
 */
import type { Position } from "./types.js";

export class Cursor {
  /** The last position accounted for; null: there is none. */
  position: Position | null = null;
  subscribed = false;

  /** The connection is gone: the position stays, to resume from. */
  disconnect(): void {
    this.subscribed = false;
  }

  /** `subscribed`: the position given, or null. */
  subscribe(position: Position | null): boolean {
    const legal = !this.subscribed || compare(position, this.position) === 0;
    this.subscribed = true;
    this.position = position;
    return legal;
  }

  /** `snapshot`: legal where nothing is accounted for yet. */
  snapshot(position: Position): boolean {
    const legal = this.subscribed && this.position === null;
    this.position = position;
    return legal;
  }

  /** `ticks`: the next one, after *skipped* that conflation left out. */
  tick(seq: number, skipped: number): boolean {
    const at = this.position;
    if (at === null) return false; // its epoch is unknown: only a snapshot or a resume can give a position
    this.position = { epoch: at.epoch, seq };
    return this.subscribed && skipped >= 0 && seq === at.seq + 1 + skipped;
  }

  /** `gap`: *from* to *to* are not coming; *to* null: the next tick comes as a snapshot. */
  gap(epoch: number, from: number, to: number | null): boolean {
    const at = this.position;
    this.position = to === null ? null : { epoch, seq: to };
    return this.subscribed && at !== null && epoch === at.epoch && from === at.seq + 1 && (to === null || to >= from);
  }

  /** `epoch`: the ticks go on from seq 1 of a later epoch. */
  epoch(epoch: number): boolean {
    const at = this.position;
    this.position = { epoch, seq: 0 };
    return this.subscribed && at !== null && epoch > at.epoch;
  }
}

/** Below, at or above zero as *one* is before, at or after *other*; null is before everything. */
export function compare(one: Position | null, other: Position | null): number {
  if (!one || !other) return (one ? 1 : 0) - (other ? 1 : 0);
  return one.epoch - other.epoch || one.seq - other.seq;
}
