"""Where a feed begins and ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ssl import SSLContext
from typing import Final, Unpack

from tickwire_client.address import stream
from tickwire_client.connection import Options, Token
from tickwire_client.conversation import PING_S
from tickwire_client.errors import BadRequest, FeedClosed, Unreachable
from tickwire_client.feed import Feed
from tickwire_client.hooks import Callbacks, Hooks

SILENCE_S: Final = 40.0
"""A gateway speaks at least every 15 s (`heartbeat`); after two missed ones the connection counts as dead."""


@asynccontextmanager
async def connect(
    url: str | Sequence[str],
    *,
    token: Token | None = None,
    ssl: SSLContext | None = None,
    timeout: float | None = 30.0,  # noqa: ASYNC109 - of the first connection only
    handshake_s: float = 10.0,
    silence_s: float = SILENCE_S,
    ping_s: float = PING_S,
    proxy: str | None = None,
    **hooks: Unpack[Callbacks],
) -> AsyncIterator[Feed]:
    """Be connected while the context lasts, over as many connections as it takes.

    Args:
        url: the address of a stream, `ws://HOST:8080/v1/stream`, or several, which are tried in turn; see
            `address.stream` for what may be left out.
        token: sent as `Authorization: Bearer`; a function is asked before each connection, and when the gateway
            says that the token expires.  Where the function fails, it is asked again, as a gateway that is away.
        ssl: for a `wss://` whose certificate the system does not trust.
        timeout: seconds in which a gateway must have welcomed us; None: for ever.
        handshake_s: seconds that one attempt may take.
        silence_s: seconds without a frame after which a connection counts as dead.
        ping_s: seconds between two pings, which the estimate of the clocks' offset is made of.
        proxy: the address of an HTTP or SOCKS proxy.
        hooks: see `Callbacks`.

    Raises:
        BadRequest: no address was given.
        BadAddress (a `Refused`): one of them is none.
        Refused: no gateway will ever serve this client as it is; `TokenRefused`: because of its token.
        Unreachable: none did within *timeout*.
    """
    urls = [stream(one) for one in ([url] if isinstance(url, str) else url)]
    if not urls:
        raise BadRequest("no address")
    feed = Feed(urls, Options(token, ssl, handshake_s, proxy), Hooks(**hooks), silence_s, ping_s)
    running = asyncio.create_task(feed.run(), name="tickwire_client:run")
    try:
        try:
            async with asyncio.timeout(timeout):
                await feed.begun()
        except TimeoutError:
            raise Unreachable(f"no gateway within {timeout} s; {feed.reason}") from None
        yield feed
    finally:
        feed.end(FeedClosed("the feed is closed"))
        running.cancel()
        # Not `await running`: whoever swallows its cancellation swallows our own, too, and the caller lives on.
        await asyncio.wait([running])
