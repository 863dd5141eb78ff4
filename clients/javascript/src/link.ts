/** A connection that comes back: sockets, one after another.  Decides nothing: `Route`, `Backoff` and `refusal` do. */
import { Backoff } from "./backoff.js";
import { type Ending, refusal } from "./closing.js";
import { TickwireError } from "./errors.js";
import { Route, type Transport } from "./route.js";
import type { ConnectOptions } from "./types.js";

/** A gateway speaks at least every 15 s (`heartbeat`); after two missed ones the connection counts as dead. */
export const SILENCE_MS = 40_000;
/** Longest time until a gateway has said its first word. */
export const HANDSHAKE_MS = 10_000;
/** Longest time until the answer to a probe, after the network or the page came back. */
export const PROBE_MS = 5000;
const SUBPROTOCOL = "tickwire.v1";
/** What a subprotocol may be made of. */
const WORD = /^[\w!#$%&'*+.^`|~-]+$/;
const VISIBLE = /^[\x21-\x7e]+$/;

/** What of a WebSocket is used; server-sent events are made to look like one. */
export interface Socket {
  onopen: ((event?: never) => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: Ending) => void) | null;
  onerror: ((event: never) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

/** Who is told what happens. */
export interface Keeper {
  /** An attempt begins: nothing is subscribed on it. */
  begins(): void;
  /** A frame came; throws `protocol` where it is none. */
  frame(text: string): void;
  /** The connection, or the attempt, has ended; *error* where none came about.  The next one follows by itself. */
  ended(error: TickwireError | null): void;
  /** Nobody will ever serve us. */
  failed(error: TickwireError): void;
}

/** How the connection has been used. */
export interface Standing {
  /** Monotonic time in milliseconds at which the last `reconnect` wanted us elsewhere. */
  readonly reconnectAt: number;
  /** Whether the connection served anything. */
  readonly fresh: boolean;
}

type SocketClass = new (url: string, protocols: string[]) => Socket;

export class Link {
  /** The token that this connection began with. */
  token: string | undefined;
  /** Of the connection that is open. */
  transport: Transport | null = null;
  /** When `turn` is to be called: nothing has come until then. */
  due = Infinity;
  readonly #route: Route;
  readonly #backoff: Backoff;
  readonly #webSocket: SocketClass | undefined;
  #socket: Socket | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #over = false;
  /** By address until when its gateway wants nobody. */
  readonly #busy = new Map<string, number>();

  constructor(
    urls: readonly string[],
    readonly options: ConnectOptions,
    readonly keeper: Keeper,
    readonly standing: Standing,
  ) {
    const { transport = "auto", random = Math.random } = options;
    this.#webSocket = (options.WebSocket ?? globalThis.WebSocket) as SocketClass | undefined;
    this.#route = new Route(urls, transport !== "auto" ? transport : this.#webSocket ? undefined : "sse");
    this.#backoff = new Backoff(random);
  }

  // ------------------------------------------------------------------------------------------------------- its life

  /** Connect now. */
  async begin(): Promise<void> {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.keeper.begins();
    const { url, transport } = this.#route;
    this.due = performance.now() + HANDSHAKE_MS;
    try {
      this.token = await this.ask();
      const socket = await this.#open(url, transport);
      if (this.#over) socket.close();
      else this.#use(socket, url, transport);
    } catch (error) {
      if (error instanceof TickwireError && error.final) this.#refused(error);
      else this.#ended(url, { code: 1006, reason: (error as Error).message });
    }
  }

  /** The token as it is now: a function is asked each time. */
  async ask(): Promise<string | undefined> {
    const { token } = this.options;
    const found = typeof token === "function" ? await token() : token;
    if (found && !VISIBLE.test(found)) {
      throw new TickwireError("token_refused", "the token has a blank or a letter beyond ASCII in it");
    }
    return found;
  }

  async #open(url: string, transport: Transport): Promise<Socket> {
    if (transport === "sse") {
      const { EventSocket } = await import("./sse/socket.js");
      const webSocket = this.#route.provisional ? () => this.#webSocketAt(url) : undefined;
      const socket = new EventSocket(url, this.token, this.options, webSocket);
      socket.onbetter = () => {
        this.#route.opened("websocket");
        this.#again(null);
      };
      return socket;
    }
    return this.#webSocketAt(url);
  }

  #webSocketAt(url: string): Socket {
    const { token } = this;
    const Kind = this.#webSocket as SocketClass;
    try {
      return new Kind(url, token && WORD.test(token) ? [SUBPROTOCOL, `bearer.${token}`] : [SUBPROTOCOL]);
    } catch (error) {
      throw new TickwireError("bad_url", (error as Error).message);
    }
  }

  #use(socket: Socket, url: string, transport: Transport): void {
    this.#socket = socket;
    socket.onopen = () => {
      this.#route.opened(transport);
      this.transport = transport;
    };
    socket.onmessage = ({ data }) => {
      this.due = performance.now() + SILENCE_MS;
      try {
        this.keeper.frame(String(data));
      } catch (error) {
        this.#refused(error as TickwireError);
      }
    };
    socket.onclose = (ending) => this.#ended(url, ending);
    socket.onerror = () => {}; // `onclose` follows
  }

  send(text: string): void {
    this.#socket?.send(text);
  }

  /** Nothing more. */
  close(): void {
    this.#over = true;
    clearTimeout(this.#retry);
    this.#drop();
  }

  // ------------------------------------------------------------------------------------------------------- its ends

  /** Let go of the socket, whatever it may still say. */
  #drop(): void {
    const socket = this.#socket;
    this.#socket = this.transport = null;
    this.due = Infinity;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #ended(url: string, ending: Ending): void {
    const error = refusal(ending, !!this.token, typeof this.options.token === "function");
    if (error) return this.#refused(error);
    const now = performance.now();
    if (ending.after) this.#busy.set(url, now + ending.after);
    const came = this.transport !== null;
    this.#again(came ? null : new TickwireError("unreachable", `${url}: ${ending.reason || "no connection"}`, false));
  }

  #refused(error: TickwireError): void {
    if (this.#route.refused()) return this.#again(error);
    this.close();
    this.keeper.failed(error);
  }

  #again(error: TickwireError | null): void {
    const now = performance.now();
    this.#drop();
    if (this.standing.fresh) this.#backoff.succeeded();
    this.#route.ended();
    const wait = this.#backoff.wait(this.standing.reconnectAt - now, (this.#busy.get(this.#route.url) ?? 0) - now);
    this.#retry = setTimeout(() => void this.begin(), wait);
    this.keeper.ended(error);
  }

  // ----------------------------------------------------------------------------------------------------------- time

  /** Time has passed. */
  turn(now: number): void {
    if (now >= this.due) this.#ended(this.#route.url, { code: 1006, reason: "nothing came" });
  }

  /** The network or the page is back: connect at once, or expect a sign of life soon; return whether one is expected. */
  hasten(now: number): boolean {
    if (this.#retry) void this.begin();
    else if (this.transport) {
      this.due = Math.min(this.due, now + PROBE_MS);
      return true;
    }
    return false;
  }
}
