import { Cursor } from "./cursor.js";
import { TickwireError } from "./errors.js";
import type { Account, ConnectOptions, Day, Feed, FeedEvents, Session, Status, Subscription, SubscribeOptions, Tick } from "./types.js";

const EMPTY: Status = {
  state: "connecting", transport: null, reconnects: 0, gaps: 0, missing: 0, conflated: 0, ticks: 0, violations: 0,
  latency: null, offset: null, roundTrip: null, error: null,
};

/** Be connected to a gateway.  A first version: WebSocket, subscribe, resume; the rest follows. */
export function connect(url: string | URL | readonly string[], options: ConnectOptions = {}): Feed {
  const [first] = ([] as (string | URL)[]).concat(url as string);
  if (first === undefined) throw new TickwireError("bad_url", "no address");
  return new First(address(String(first)), options);
}

function address(text: string): string {
  const found = URL.canParse(text) ? text : `ws://${text}`;
  if (!URL.canParse(found)) throw new TickwireError("bad_url", `${text} is no address`);
  const parsed = new URL(found);
  if (!/^(ws|http)s?:$/.test(parsed.protocol)) throw new TickwireError("bad_url", `${text}: ws, wss, http or https`);
  parsed.protocol = parsed.protocol.replace("http", "ws");
  if (parsed.pathname === "/") parsed.pathname = "/v1/stream";
  return parsed.href;
}

class Line {
  constructor(readonly symbols: readonly string[], readonly listener: ((tick: Tick) => void) | undefined) {}
}

// biome-ignore lint: replaced by the real one
class First implements Feed {
  status = EMPTY;
  #lines = new Set<Line>();
  #cursors = new Map<string, Cursor>();
  #last = new Map<string, Tick>();
  #days = new Map<string, Day>();
  #listeners = new Map<string, Set<(value: never) => void>>();
  #socket: WebSocket | null = null;
  #id = 0;
  #failures = 0;

  constructor(private readonly url: string, private readonly options: ConnectOptions) {
    void this.#connect();
  }

  async #connect(): Promise<void> {
    const token = typeof this.options.token === "function" ? await this.options.token() : this.options.token;
    const Kind = (this.options.WebSocket ?? WebSocket) as typeof WebSocket;
    const socket = new Kind(this.url, token ? ["tickwire.v1", `bearer.${token}`] : ["tickwire.v1"]);
    this.#socket = socket;
    socket.onmessage = (event) => this.#take(String(event.data));
    socket.onclose = (event) => {
      this.#socket = null;
      for (const cursor of this.#cursors.values()) cursor.disconnect();
      if (this.status.state === "closed") return;
      if (event.code === 4501) {
        const error = new TickwireError("token_refused", `closed with ${event.code}`);
        this.#set({ state: "failed", transport: null, error });
        this.#emit("error", error);
        return;
      }
      this.#set({ state: "reconnecting", transport: null, reconnects: this.status.reconnects + 1 });
      setTimeout(() => void this.#connect(), Math.random() * Math.min(10_000, 100 * 2 ** this.#failures++));
    };
  }

  #take(text: string): void {
    this.#emit("frame", { direction: "in", text, at: Date.now() });
    const frame = JSON.parse(text);
    if (frame.op === "welcome") {
      this.#failures = 0;
      this.#set({ state: "live", transport: "websocket" });
      if (this.#cursors.size) this.#ask([...this.#cursors.keys()]);
    }
    if (frame.op === "subscribed") {
      for (const [symbol, given] of Object.entries<{ epoch: number | null; seq: number }>(frame.symbols)) {
        this.#cursors.get(symbol)?.subscribe(given.epoch === null ? null : { epoch: given.epoch, seq: given.seq });
      }
    }
    if (frame.op === "snapshot" || frame.op === "ticks") {
      for (const tick of frame.data) {
        const cursor = this.#cursors.get(tick.symbol);
        if (!cursor) continue;
        if (frame.op === "ticks") cursor.tick(tick.seq, tick.skipped ?? 0);
        else cursor.snapshot({ epoch: frame.epoch, seq: tick.seq });
        tick.epoch = cursor.position?.epoch;
        tick.received = Date.now();
        tick.latency = tick.received - tick.ts / 1000;
        if (frame.op === "snapshot") tick.snapshot = true;
        this.#last.set(tick.symbol, tick);
        for (const line of this.#lines) if (line.symbols.includes(tick.symbol)) line.listener?.(tick);
      }
      this.#set({ ticks: this.status.ticks + frame.data.length });
    }
    if (frame.op === "day") {
      for (const [symbol, said] of Object.entries<Day>(frame.data)) {
        this.#days.set(symbol, { ...said, symbol, last: null, change: null, change_percent: null });
      }
    }
    if (frame.op === "gap") this.#cursors.get(frame.symbol)?.gap(frame.epoch, frame.from, frame.to);
    if (frame.op === "epoch") this.#cursors.get(frame.symbol)?.epoch(frame.epoch);
  }

  #ask(symbols: readonly string[]): void {
    if (this.#socket?.readyState !== 1 || this.status.transport === null) return;
    const resume = Object.fromEntries(symbols.map((s) => [s, this.#cursors.get(s)?.position]).filter(([, p]) => p));
    this.#socket.send(JSON.stringify({ op: "subscribe", id: ++this.#id, symbols, resume }));
  }

  #set(change: Partial<Status>): void {
    this.status = { ...this.status, ...change };
    this.#emit("status", this.status);
  }

  #emit<E extends keyof FeedEvents>(event: E, value: FeedEvents[E]): void {
    for (const listener of this.#listeners.get(event) ?? []) (listener as (value: FeedEvents[E]) => void)(value);
  }

  subscribe(symbols: string | readonly string[], listener?: (tick: Tick) => void, _?: SubscribeOptions): Subscription {
    const names = typeof symbols === "string" ? [symbols] : [...symbols];
    const line = new Line(names, listener);
    this.#lines.add(line);
    for (const name of names) {
      if (!this.#cursors.has(name)) this.#cursors.set(name, new Cursor());
      const last = this.#last.get(name);
      if (last) queueMicrotask(() => listener?.(last));
    }
    this.#ask(names);
    return {
      symbols: names,
      ready: Promise.resolve(),
      close: () => void this.#lines.delete(line),
      // biome-ignore lint: replaced by the real one
      async *[Symbol.asyncIterator]() {},
    };
  }

  candles(symbol: string): Subscription {
    return this.subscribe(symbol);
  }
  last(symbol: string): Tick | undefined {
    return this.#last.get(symbol);
  }
  day(symbol: string): Day | undefined {
    return this.#days.get(symbol);
  }
  session(_: string): Session | undefined {
    return undefined;
  }
  on<E extends keyof FeedEvents>(event: E, listener: (value: FeedEvents[E]) => void): () => void {
    const all = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, all.add(listener as (value: never) => void));
    return () => void all.delete(listener as (value: never) => void);
  }
  account(_: string): Account {
    return { delivered: 0, conflated: 0, missing: 0, unexplained: 0, unknown: 0, repeated: 0 };
  }
  close(): void {
    this.#set({ state: "closed", transport: null });
    this.#socket?.close();
  }
  [Symbol.dispose](): void {
    this.close();
  }
}
