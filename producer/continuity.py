"""Where the last run of a shard left its symbols, as far as history says so in time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from producer.sources.source import Last
from producer.sources.universe import Listing
from services.broker.history import History, Question
from services.errors import HistoryUnavailable, MalformedMessage
from services.market.symbol import Symbol
from services.market.wire import decode_tick

ASKING_S: Final = 2.0
"""Longest wait for the answers of history, for all symbols together; a standby must lead within 5 s."""
AGAIN_S: Final = 0.05
"""Wait before a question is asked again."""
LARGEST_VOLUME: Final = 10**15 - 1
"""A day's volume beyond this begins anew: a tick carries 16 digits."""


class Continuity(NamedTuple):
    """What history knows: the last price and volume of each symbol that it answered for with a tick."""

    lasts: Mapping[Symbol, Last]
    reason: str
    """Why symbols begin afresh; empty where none does."""


async def last_ticks(history: History, listings: Sequence[Listing], *, within: float = ASKING_S) -> Continuity:
    """Ask *history* for the last tick of every listing, for at most *within* seconds."""
    if not history.present:
        return Continuity({}, "history is absent")
    lasts: dict[Symbol, Last] = {}
    unanswered = {listing.symbol for listing in listings}

    async def ask(listing: Listing) -> None:
        line = await _last_line(history, listing.symbol)
        unanswered.discard(listing.symbol)
        if line is not None and (last := _last(line, listing)) is not None:
            lasts[listing.symbol] = last

    try:
        async with asyncio.timeout(within), asyncio.TaskGroup() as tasks:
            for listing in listings:
                tasks.create_task(ask(listing))
    except TimeoutError:
        pass
    return Continuity(lasts, _reason(len(listings), len(lasts), len(unanswered), within))


def _reason(symbols: int, continued: int, unanswered: int, within: float) -> str:
    if continued == symbols:
        return ""
    if unanswered:
        return f"history did not answer for {unanswered} symbols within {within:g} s"
    return f"history has no tick of {symbols - continued} symbols"


async def _last_line(history: History, symbol: Symbol) -> bytes | None:
    while True:
        try:
            answer = await history.ask(Question(symbol, None))
        except HistoryUnavailable:
            await asyncio.sleep(AGAIN_S)
        else:
            return answer.ticks[-1][1] if answer.ticks else None


def _last(line: bytes, listing: Listing) -> Last | None:
    """Return price and volume in the tick *line*, in the listing's decimals; None: nothing to go on from."""
    try:
        tick = decode_tick(line)
    except MalformedMessage:
        return None
    price = round(tick.price * 10.0 ** (listing.decimals - tick.decimals))
    return Last(max(1, price), tick.volume if tick.volume <= LARGEST_VOLUME else 0)
