/** Server-sent events, made to look like a WebSocket that speaks the native wire.  Decides nothing: `Desk` does. */
import type { Ending } from "../closing.js";
import type { Socket } from "../link.js";
import type { ConnectOptions } from "../types.js";
import { CANDLES_MS, Desk, type Polled } from "./desk.js";
import { EventReader } from "./events.js";

/** Milliseconds in which changes of what is followed gather, since each needs another request. */
export const GATHER_MS = 50;
/** Milliseconds between two words where no stream is needed, so that the connection does not count as dead. */
const IDLE_MS = 15_000;
/** How long server-sent events serve until a WebSocket is tried again. */
export const AGAIN_MS = 300_000;

export class EventSocket implements Socket {
  onopen: Socket["onopen"] = null;
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;
  onerror: Socket["onerror"] = null;
  /** A WebSocket opens by now: whoever has this one should leave it. */
  onbetter: () => void = () => {};
  readonly #desk = new Desk();
  readonly #headers: Record<string, string>;
  readonly #base: string;
  #stream: AbortController | undefined;
  readonly #over = new AbortController();
  #gathering: ReturnType<typeof setTimeout> | undefined;
  readonly #timers: ReturnType<typeof setInterval>[];

  /** *url*: of the native stream; *webSocket* opens one, which may be better. */
  constructor(
    url: string,
    token: string | undefined,
    readonly options: ConnectOptions,
    webSocket?: () => Socket,
  ) {
    this.#base = url.replace("ws", "http");
    this.#headers = token ? { Authorization: `Bearer ${token}` } : {};
    setTimeout(() => this.#say([this.#desk.welcome]));
    this.#timers = [
      setInterval(() => this.#desk.query || this.#say([{ op: "heartbeat" }]), IDLE_MS),
      setInterval(() => this.#poll(), CANDLES_MS),
    ];
    if (webSocket) this.#timers.push(setInterval(() => this.#try(webSocket()), AGAIN_MS));
  }

  send(text: string): void {
    const command = JSON.parse(text);
    if (command.op === "auth") this.#headers.Authorization = `Bearer ${command.token}`;
    queueMicrotask(() => this.#say(this.#desk.command(command)));
    if (command.candles) queueMicrotask(() => this.#poll());
    this.#gathering ??= setTimeout(() => this.#changed(), GATHER_MS);
  }

  close(): void {
    this.onopen = this.onmessage = this.onclose = null;
    for (const timer of this.#timers) clearInterval(timer);
    clearTimeout(this.#gathering);
    this.#over.abort();
    this.#stream?.abort();
  }

  #try(socket: Socket): void {
    socket.onerror = () => {};
    socket.onopen = () => {
      socket.close();
      if (!this.#over.signal.aborted) this.onbetter();
    };
  }

  #say(frames: readonly object[]): void {
    for (const frame of frames) this.onmessage?.({ data: JSON.stringify(frame) });
  }

  #end(ending: Ending): void {
    const { onclose } = this;
    this.close();
    onclose?.(ending);
  }

  #answer(said: readonly object[] | Ending): void {
    if ("code" in said) this.#end(said);
    else this.#say(said);
  }

  // ------------------------------------------------------------------------------------------------------ the stream

  #changed(): void {
    this.#gathering = undefined;
    if (!this.#desk.changed) return;
    this.#stream?.abort();
    const stream = new AbortController();
    this.#stream = stream;
    if (this.#desk.query) void this.#follow(stream.signal);
    else this.#desk.opening();
  }

  async #follow(signal: AbortSignal): Promise<void> {
    try {
      const { query, id } = this.#desk.opening();
      const answer = await this.#get("sse", query, signal, { "Last-Event-ID": id });
      if (signal.aborted) return;
      if (answer.status === 200 && answer.body) await this.#read(answer.body, signal);
      else await this.#refused(answer);
    } catch (error) {
      if (!signal.aborted) this.#end({ code: 1006, reason: (error as Error).message });
    }
  }

  async #read(body: ReadableStream<Uint8Array>, signal: AbortSignal): Promise<void> {
    const events = new EventReader();
    const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
    this.onopen?.();
    for (;;) {
      const { value, done } = await reader.read();
      if (signal.aborted) return;
      if (done) return this.#end({ code: 1012, reason: "the stream ended" });
      for (const event of events.take(value)) {
        this.#answer(event ? this.#desk.event(event.event, event.data) : [{ op: "heartbeat" }]);
        if (signal.aborted) return;
      }
    }
  }

  async #refused(answer: Response): Promise<void> {
    const { status, headers } = answer;
    const only = this.options.transport === "sse";
    const problem = await json(answer, "problem+json");
    this.#answer(this.#desk.refused(status, problem, Number(headers.get("Retry-After")) || 0, only));
    this.#gathering ??= setTimeout(() => this.#changed(), GATHER_MS);
  }

  #get(path: string, query: string, signal: AbortSignal, headers?: Record<string, string>): Promise<Response> {
    const url = new URL(path, this.#base);
    url.search = query;
    // Called without `this`: a browser's fetch wants to be called as a function.
    const { fetch = globalThis.fetch } = this.options;
    return fetch(url, { signal, headers: { ...this.#headers, ...headers }, cache: "no-store" });
  }

  // --------------------------------------------------------------------------------------------------------- candles

  #poll(): void {
    for (const polled of this.#desk.polled.values()) void this.#look(polled);
  }

  async #look(polled: Polled): Promise<void> {
    if (polled.busy) return;
    polled.busy = true;
    try {
      const query = this.#desk.candlesQuery(polled, performance.now());
      const answer = await this.#get(`candles/${polled.symbol}`, query, this.#over.signal);
      const body = await json(answer, "json");
      this.#say(this.#desk.candles(polled, answer.status, body, performance.now()));
    } catch {
      // The next look tries again; where nobody is there, the stream says so.
    } finally {
      polled.busy = false;
    }
  }
}

async function json(answer: Response, type: string): Promise<Record<string, unknown> | undefined> {
  return answer.headers.get("Content-Type")?.includes(type) ? await answer.json() : undefined;
}
