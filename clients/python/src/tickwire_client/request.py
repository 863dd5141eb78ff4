"""What a subscription may ask for.  Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from tickwire_client.candle import HISTORY, INTERVALS
from tickwire_client.errors import BadRequest
from tickwire_client.follows import EVERYTHING

RATES: Final = (0.1, 100.0)
"""Least and most `max_rate`, ticks per second and symbol."""
_SYMBOL: Final = re.compile(r"[A-Z0-9][A-Z0-9.\-]{0,15}|\*").fullmatch


def check_candles(symbol: str, interval: str, history: int) -> None:
    """Return if a gateway would accept it.

    Raises:
        BadRequest: it would not; the sentence says what is wrong.
    """
    if symbol == EVERYTHING:
        raise BadRequest("candles are followed by name, not by *")
    check((symbol,), None, (), lambda _: False)
    if interval not in INTERVALS:
        raise BadRequest(f"interval is {interval!r}, but must be {' or '.join(map(repr, INTERVALS))}")
    least, most = HISTORY
    if not least <= history <= most:
        raise BadRequest(f"history is {history!r}, but must be a whole number from {least} to {most}")


def check(
    symbols: Sequence[str], max_rate: float | None, resume: Iterable[str], followed: Callable[[str], bool]
) -> None:
    """Return if a gateway would accept it.

    Raises:
        BadRequest: it would not; the sentence says what is wrong.
    """
    bad = [symbol for symbol in symbols if _SYMBOL(symbol) is None]
    if bad or not symbols:
        raise BadRequest(
            f"{', '.join(map(repr, bad)) or 'nothing'} is no symbol: capitals, digits, . and -, 1 to 16"
        )
    if EVERYTHING in symbols and len(symbols) > 1:
        raise BadRequest("* stands alone")
    if max_rate is not None and not RATES[0] <= max_rate <= RATES[1]:
        raise BadRequest(f"max_rate is {max_rate}, but must be from {RATES[0]} to {RATES[1]}")
    for symbol in resume:
        if symbol not in symbols or followed(symbol):
            raise BadRequest(f"{symbol} is not in the symbols, or followed already: it cannot resume elsewhere")
