/** The format of server-sent events (WHATWG HTML, "Server-sent events").  Pure. */

/** Most characters of one event: the gateway's have 64 KiB of ticks. */
export const LIMIT = 1_048_576;

export interface ServerEvent {
  /** `message` where the stream names none. */
  readonly event: string;
  readonly data: string;
}

export class EventReader {
  #rest = "";
  #event = "";
  #data: string[] = [];

  /** Take a piece of the stream; return what it ends: events, and null for each comment.  Throws where it is too long. */
  take(piece: string): (ServerEvent | null)[] {
    const lines = (this.#rest + piece).split(/\r\n|\n|\r(?!$)/); // a CR at the end may be half of a line's end
    this.#rest = lines.pop() as string;
    if (this.#rest.length > LIMIT) throw new RangeError("an event of more than 1 MiB");
    return lines.flatMap((line) => this.#line(line));
  }

  #line(line: string): (ServerEvent | null)[] {
    if (line === "") return this.#done();
    if (line[0] === ":") return [null];
    const [, field, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (field === "event") this.#event = value;
    else if (field === "data") this.#data.push(value);
    return [];
  }

  #done(): ServerEvent[] {
    const done = this.#data.length ? [{ event: this.#event || "message", data: this.#data.join("\n") }] : [];
    this.#event = "";
    this.#data = [];
    return done;
  }
}
