import type { Candle } from "../../src/index.js";
import { aTick } from "./fakefeed.js";

interface Command {
  readonly op: string;
  readonly id: number;
  readonly symbols: readonly string[];
  readonly candles?: string;
}

/** A gateway that lives in the socket which a feed makes: it answers commands, and says what a test has it say. */
export class ScriptedGateway {
  readonly WebSocket: unknown;
  #socket: Socket | undefined;
  #seq = 0;
  readonly #followed = new Map<string, "asked" | "shown">();

  constructor() {
    const made = (socket: Socket) => {
      this.#socket = socket;
    };
    const command = (text: string) => this.#obey(JSON.parse(text) as Command);
    this.WebSocket = class extends Socket {
      constructor() {
        super(command);
        made(this);
      }
    };
  }

  /** Open the connection. */
  opens(): void {
    this.#socket?.onopen?.();
    const limits = { symbols: 10, message_bytes: 65_536, commands_per_s: 50, command_burst: 100, max_rate: [0.1, 100] };
    this.#say({ op: "welcome", protocol: 1, session: "x", server_time: 1, heartbeat: 15, limits, feed: "live", auth: "none" });
  }

  tick(symbol: string, price: number): void {
    const { epoch, received, latency, ...tick } = aTick(symbol, price, ++this.#seq);
    const state = this.#followed.get(symbol);
    if (state === undefined) return;
    this.#followed.set(symbol, "shown");
    if (state === "asked") this.#say({ op: "snapshot", epoch, data: [tick], none: {} });
    else this.#say({ op: "ticks", sent: 1, data: [tick] });
  }

  chart(symbol: string, interval: string, data: readonly Candle[], reset: boolean): void {
    this.#say({ op: "candles", symbol, interval, ...(reset && { reset }), data });
  }

  /** The producer's heartbeats stay away. */
  becomesStale(): void {
    this.#say({ op: "status", feed: "stale", since: 1, shard: "main" });
  }

  #obey({ op, id, symbols, candles }: Command): void {
    if (op === "subscribe") {
      if (!candles) for (const symbol of symbols) this.#followed.set(symbol, "asked");
      const answer = Object.fromEntries(symbols.map((symbol) => [symbol, candles ? {} : { epoch: null, seq: null }]));
      this.#say({ op: "subscribed", id, ...(candles && { candles }), symbols: answer, rejected: {}, pending: 0 });
    }
    if (op === "unsubscribe") {
      for (const symbol of symbols) this.#followed.delete(symbol);
      this.#say({ op: "unsubscribed", id, symbols, reason: null });
    }
    if (op === "ping") this.#say({ op: "pong", id, server_time: 1 });
  }

  #say(frame: object): void {
    this.#socket?.onmessage?.({ data: JSON.stringify(frame) });
  }
}

class Socket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;
  readonly #command: (text: string) => void;

  constructor(command: (text: string) => void) {
    this.#command = command;
  }

  send(text: string): void {
    queueMicrotask(() => this.#command(text));
  }

  close(): void {}
}
