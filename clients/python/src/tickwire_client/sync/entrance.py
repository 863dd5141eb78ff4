"""Where a synchronous feed begins."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from inspect import isawaitable, iscoroutinefunction
from ssl import SSLContext
from typing import Unpack

from tickwire_client import entrance
from tickwire_client.connection import Token
from tickwire_client.conversation import PING_S
from tickwire_client.hooks import Callbacks
from tickwire_client.sync.background import Background
from tickwire_client.sync.feed import Feed


def connect(
    url: str | Sequence[str],
    *,
    token: Token | None = None,
    ssl: SSLContext | None = None,
    timeout: float | None = 30.0,
    handshake_s: float = 10.0,
    silence_s: float = entrance.SILENCE_S,
    ping_s: float = PING_S,
    proxy: str | None = None,
    **hooks: Unpack[Callbacks],
) -> Feed:
    """Return a feed that is connected: a context manager, or, as between cells of a notebook, until its `close`.

    Arguments and errors are those of `tickwire_client.connect`.  The feed lives on a thread of its own; so do its
    callbacks, which may ask it anything but for ticks.  A *token* that is a plain function is called on one more
    thread, so that it may take its time.
    """
    context = entrance.connect(
        url,
        token=_apart(token) if callable(token) else token,
        ssl=ssl,
        timeout=timeout,
        handshake_s=handshake_s,
        silence_s=silence_s,
        ping_s=ping_s,
        proxy=proxy,
        **hooks,
    )
    return Feed(Background(context))


def _apart(token: Callable[[], str | Awaitable[str]]) -> Callable[[], Awaitable[str]]:
    """Return *token* so that it does not hold up the feed while it waits for its issuer."""

    async def asked() -> str:
        found = token() if iscoroutinefunction(token) else await asyncio.to_thread(token)
        return await found if isawaitable(found) else found

    return asked
