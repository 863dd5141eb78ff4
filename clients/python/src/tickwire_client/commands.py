"""Commands as text, and how many symbols fit into one.  Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Final, NamedTuple

from tickwire_client.candlefollows import CandleAsking
from tickwire_client.cursor import Position
from tickwire_client.follow import Follow

NAMES: Final = 25
"""Names that count as one command more (docs/protocol.md, "Limits")."""
_FRAME: Final = 200
"""Bytes of a subscribe command without its symbols: 126 with the longest numbers."""
_AUTH: Final = '{"op":"auth",'
CANDLES: Final = "candles"
"""What `Commands.open` has as the op of a subscription to candles."""
_QUOTES: Final = 3
"""Bytes around a name: two quotes and a comma."""


class Asking(NamedTuple):
    """What one subscribe command asks for."""

    follows: Sequence[Follow]
    rate: float | None
    snapshot: bool


class Commands:
    """Numbers the commands of one connection, and knows which of them are not answered yet."""

    def __init__(self) -> None:
        self.open: dict[int, tuple[str, tuple[str, ...]]] = {}
        """By id: op and symbols."""
        self.weight = 0
        """How many commands the last one counts as beside itself."""
        self._ids: Iterator[int] = count(1)

    def subscribe(self, asking: Asking) -> tuple[int, str]:
        """Return id and text of the command that asks for it."""
        names = [follow.symbol for follow in asking.follows]
        more: dict[str, Any] = {} if asking.rate is None else {"max_rate": asking.rate}
        if not asking.snapshot:
            more["snapshot"] = False
        resume = {f.symbol: f.resume._asdict() for f in asking.follows if f.resume and not f.cursor.subscribed}
        if resume:
            more["resume"] = resume
        return self._command("subscribe", names, symbols=names, **more)

    def subscribe_candles(self, asking: CandleAsking) -> tuple[int, str]:
        """Return id and text of the command that asks for candles."""
        interval, history, names = asking
        identity, text = self._command("subscribe", names, symbols=names, candles=interval, history=history)
        self.open[identity] = (CANDLES, tuple(names))
        return identity, text

    def unsubscribe(self, names: Sequence[str], candles: str | None = None) -> tuple[int, str]:
        """Return id and text of the command that ends *names*, or their *candles* of that interval."""
        more = {} if candles is None else {"candles": candles}
        return self._command("unsubscribe", names, symbols=names, **more)

    def ping(self) -> tuple[int, str]:
        """Return id and text of a ping."""
        return self._command("ping", ())

    def auth(self, token: str) -> tuple[int, str]:
        """Return id and text of the command that shows *token*."""
        return self._command("auth", (), token=token)

    def _command(self, op: str, names: Iterable[str], **fields: Any) -> tuple[int, str]:
        identity = next(self._ids)
        self.open[identity] = (op, tuple(names))
        self.weight = len(self.open[identity][1]) // NAMES
        return identity, _text({"op": op, "id": identity, **fields})


def shown(text: str) -> str:
    """Return the command as it may be recorded: without the token, if it has one."""
    return _text({**json.loads(text), "token": "…"}) if text.startswith(_AUTH) else text


def fitting(follows: Iterable[Follow], message_bytes: int) -> list[Follow]:
    """Return as many of *follows*, in their order, as one subscribe command can hold."""
    room = message_bytes - _FRAME
    fit: list[Follow] = []
    for follow in follows:
        room -= len(follow.symbol) + _QUOTES + _resume_bytes(follow.symbol, follow.resume)
        if room < 0 and fit:
            break
        fit.append(follow)
    return fit


def _resume_bytes(symbol: str, position: Position | None) -> int:
    return 0 if position is None else len(_text({symbol: position._asdict()}))


def _text(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, separators=(",", ":"))
