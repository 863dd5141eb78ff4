"""Commands and frames as they are spoken, written by hand: what the checker is tested with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from tests.checker import Checker

Step = dict[str, Any] | str
"""A command to send (it has an id and an op of the client's), or the text of a frame."""

WELCOME = '{"op":"welcome","protocol":1}'


def line(seq: int, symbol: str = "AAPL", *, skipped: int | None = None, **changes: object) -> str:
    """Return a tick's bytes; *changes* replace the text of a field."""
    fields: dict[str, object] = {
        "seq": seq, "ts": 1_795_000_000_000_000 + seq, "symbol": f'"{symbol}"', "price": "230.10", "size": 100,
        "bid": "230.09", "ask": "230.11", "bid_size": 3, "ask_size": 1, "volume": 1000 + seq,
    }  # fmt: skip
    fields |= changes
    if skipped is not None:
        fields["skipped"] = skipped
    return "{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}"


def ticks(*lines: str) -> str:
    """Return a `ticks` frame."""
    return '{"op":"ticks","sent":1795000000000000,"data":[' + ",".join(lines) + "]}"


def run_of(first: int, last: int, symbol: str = "AAPL") -> str:
    """Return a `ticks` frame with consecutive ticks."""
    return ticks(*(line(seq, symbol) for seq in range(first, last + 1)))


def snapshot(epoch: int, *lines: str) -> str:
    """Return a `snapshot` frame."""
    return f'{{"op":"snapshot","epoch":{epoch},"data":[{",".join(lines)}]}}'


def gap(epoch: int, first: int, last: int | None, reason: str = "lost", symbol: str = "AAPL") -> str:
    """Return a `gap` frame."""
    return says("gap", symbol=symbol, epoch=epoch, **{"from": first, "to": last}, reason=reason)


def says(op: str, **fields: object) -> str:
    """Return any frame."""
    return orjson.dumps({"op": op, **fields}).decode()


def subscribe(identity: int, *symbols: str, **options: object) -> dict[str, Any]:
    """Return the command."""
    return {"op": "subscribe", "id": identity, "symbols": list(symbols or ["AAPL"]), **options}


def unsubscribe(identity: int, *symbols: str) -> dict[str, Any]:
    """Return the command."""
    return {"op": "unsubscribe", "id": identity, "symbols": list(symbols or ["AAPL"])}


def subscribed(
    identity: int,
    *symbols: str,
    at: Mapping[str, tuple[int, int]] | None = None,
    max_rate: float | None = None,
    rejected: Mapping[str, str] | None = None,
    pending: int = 0,
) -> str:
    """Return the answer for *symbols*, each at its position in *at*, or null."""
    accepted: dict[str, dict[str, object]] = {symbol: {"max_rate": max_rate} for symbol in symbols}
    for symbol, (epoch, seq) in (at or {}).items():
        accepted[symbol] |= {"epoch": epoch, "seq": seq}
    return says("subscribed", id=identity, symbols=accepted, rejected=rejected or {}, pending=pending)


def unsubscribed(identity: int | None, *symbols: str, reason: str | None = None) -> str:
    """Return the answer, or where *identity* is None the gateway's own decision."""
    return says("unsubscribed", id=identity, symbols=list(symbols or ["AAPL"]), reason=reason)


def play(steps: list[Step], checker: Checker | None = None) -> Checker:
    """Let a checker see a whole connection; a frame that has the word NEXT begins another one."""
    checker = checker or Checker()
    checker.opened()
    for step in steps:
        if isinstance(step, dict):
            checker.sent(step)
        elif step == "NEXT":
            checker.closed()
            checker.opened()
        else:
            checker.received(step)
    return checker
