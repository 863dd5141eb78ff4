/** What went wrong, for programs. */
export type ErrorCode =
  /** No address of a stream; no gateway will ever be asked. */
  | "bad_url"
  /** No gateway could be reached; the feed goes on trying. */
  | "unreachable"
  /** The token lets nobody in, or has expired and there is no other one. */
  | "token_refused"
  /** The gateway asks for a token, and none was given. */
  | "token_required"
  /** The gateway will not serve this page or this client. */
  | "forbidden"
  /** More symbols than one connection may follow. */
  | "too_many"
  /** The symbol is not in the directory. */
  | "unknown_symbol"
  /** The token does not allow the symbol. */
  | "not_entitled"
  /** Arguments, or a command, that no gateway would accept. */
  | "bad_request"
  /** What came was not the protocol of a Tickwire gateway. */
  | "protocol"
  /** The feed was closed by its owner. */
  | "closed"
  /** A listener of this program threw; see `cause`.  The feed goes on. */
  | "listener";

/** The one error of this package.  No message ever has a token in it. */
export class TickwireError extends Error {
  override readonly name = "TickwireError";

  constructor(
    /** What went wrong. */
    readonly code: ErrorCode,
    message: string,
    /** Whether asking again the same way would fail again: nothing is retried. */
    readonly final: boolean = true,
    /** The symbol that it is about. */
    readonly symbol?: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
