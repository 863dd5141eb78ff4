/**
 * A client's side of the promise: the last position of a symbol that is accounted for.  Pure.
 *
 * Only the five frames of the protocol's cursor table move it; each method applies one of them and returns
 * whether that was legal.  An illegal frame still moves the cursor, so that one fault is counted once.
 */
export class Cursor {
  /** @type {{epoch: number, seq: number} | null} */
  position = null;
  subscribed = false;

  /** The connection is gone: the position stays, to resume from. */
  disconnect() {
    this.subscribed = false;
  }

  /** `subscribed`: the position given, or null. */
  subscribe(position) {
    const legal = !this.subscribed || same(position, this.position);
    this.subscribed = true;
    this.position = position;
    return legal;
  }

  /** `unsubscribed`: nothing follows. */
  unsubscribe() {
    this.subscribed = false;
    this.position = null;
  }

  /** `snapshot`: legal where nothing is accounted for yet. */
  snapshot(epoch, seq) {
    const legal = this.subscribed && this.position === null;
    this.position = { epoch, seq };
    return legal;
  }

  /** `ticks`: the next one, after *skipped* that conflation left out. */
  tick(seq, skipped) {
    if (this.position === null) return false; // its epoch is unknown: only a snapshot can give a position
    const legal = this.subscribed && seq === this.position.seq + 1 + skipped;
    this.position = { epoch: this.position.epoch, seq };
    return legal;
  }

  /** `gap`: *from* to *to* are not coming; *to* null: the next tick comes as a snapshot. */
  gap(epoch, from, to) {
    const legal =
      this.subscribed &&
      this.position !== null &&
      epoch === this.position.epoch &&
      from === this.position.seq + 1 &&
      (to === null || to >= from);
    this.position = to === null ? null : { epoch, seq: to };
    return legal;
  }

  /** `epoch`: the ticks go on from seq 1 of a later epoch. */
  epoch(epoch) {
    const legal = this.subscribed && this.position !== null && epoch > this.position.epoch;
    this.position = { epoch, seq: 0 };
    return legal;
  }
}

function same(one, other) {
  return one === other || (one !== null && other !== null && one.epoch === other.epoch && one.seq === other.seq);
}
