"""Candles of a feed, against a real WebSocket server that speaks a script."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from scripted import Peer, eventually, frame, gateway, snapshot, subscribed, tick, welcome
from tickwire_client import (
    BadRequest,
    CandleUpdate,
    NotEntitled,
    NotFollowed,
    TooManySymbols,
    UnknownSymbol,
    connect,
)
from tickwire_client.candle import Candle
from tickwire_client.candleline import WAITING, CandleLine

MINUTE_US = 60_000_000


def candle(start: int, close: str = "10.50", *, partial: bool = False, trades: int = 3) -> str:
    """Return a candle as the gateway spells it, of minute *start*."""
    doubt = ',"partial":true' if partial else ""
    return (
        f'{{"start":{start * MINUTE_US},"epoch":7,"open":10.10,"high":11.00,"low":9.90,"close":{close},'
        f'"volume":5,"trades":{trades}{doubt}}}'
    )


def candles(*rows: str, symbol: str = "AAPL", interval: str = "1m", reset: bool = False) -> str:
    """Return a `candles` frame."""
    mark = ',"reset":true' if reset else ""
    return f'{{"op":"candles","symbol":"{symbol}","interval":"{interval}"{mark},"data":[{",".join(rows)}]}}'


def answer(command: dict[str, Any], rejected: dict[str, str] | None = None) -> str:
    """Return the answer to a subscription to candles."""
    rejected = rejected or {}
    symbols: dict[str, dict[str, Any]] = {s: {} for s in command["symbols"] if s not in rejected}
    more = {"candles": command["candles"], "symbols": symbols, "rejected": rejected}
    return frame("subscribed", id=command["id"], pending=0, **more)


def minutes(update: CandleUpdate) -> list[int]:
    """Which minutes an update is of."""
    return [one.start // MINUTE_US for one in update.candles]


async def test_a_reset_and_what_changes() -> None:
    """The first update has the newest candles, the next ones what changed; prices are exact."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        command = await peer.command()
        assert command == {
            "op": "subscribe", "id": command["id"], "symbols": ["AAPL"], "candles": "1m", "history": 2,
        }  # fmt: skip
        await peer.say(answer(command), candles(candle(1), candle(2, "10.60", partial=True), reset=True))
        await read.wait()
        await peer.say(candles(candle(2, "10.70"), candle(3)))
        await peer.gone()

    read = asyncio.Event()
    async with gateway(script) as url, connect(url) as feed, feed.candles("AAPL", history=2) as updates:
        first = await anext(updates)
        assert (first.reset, first.symbol, first.interval, minutes(first)) == (True, "AAPL", "1m", [1, 2])
        assert first.candles[0] == Candle(
            *("AAPL", "1m", MINUTE_US, 7, Decimal("10.10"), Decimal("11.00"), Decimal("9.90"), Decimal("10.50")),
            *(5, 3, False),
        )
        assert str(first.candles[0].high) == "11.00"
        assert first.candles[1].partial
        read.set()
        second = await anext(updates)
        assert (second.reset, minutes(second)) == (False, [2, 3])


async def test_comes_back_with_a_reset() -> None:
    """After a lost connection the candles are asked for anew, and a reset replaces them."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        command = await peer.command()
        assert command["history"] == 300
        await peer.say(answer(command), candles(candle(peer.number), reset=True))
        if peer.number == 1:
            await eventually(lambda: found)
            await peer.socket.close(1012)
        else:
            await peer.gone()

    found: list[CandleUpdate] = []
    async with gateway(script) as url, connect(url) as feed:
        async for update in feed.candles("AAPL"):
            found.append(update)
            if len(found) == 2:
                break
    assert [(update.reset, minutes(update)) for update in found] == [(True, [1]), (True, [2])]


async def test_ticks_and_candles_are_apart() -> None:
    """Candles do not follow the symbol's ticks, and end alone."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        ticks = await peer.command()
        assert "candles" not in ticks
        await peer.say(subscribed(ticks["id"], {}, AAPL=None), snapshot(7, tick("AAPL", 1)))
        command = await peer.command()
        await peer.say(answer(command), candles(candle(1), reset=True))
        end = await peer.command("unsubscribe")
        assert (end["symbols"], end["candles"]) == (["AAPL"], "1m")
        await peer.say(frame("unsubscribed", id=end["id"], candles="1m", symbols=["AAPL"], reason=None))
        await peer.say(candles(candle(9)), f'{{"op":"ticks","sent":1,"data":[{tick("AAPL", 2)}]}}')
        await peer.gone()

    async with gateway(script) as url, connect(url) as feed, feed.subscribe("AAPL") as ticks:
        assert (await anext(ticks)).seq == 1
        async with feed.candles("AAPL") as updates:
            assert minutes(await anext(updates)) == [1]
        assert (await anext(ticks)).seq == 2
        with pytest.raises(StopAsyncIteration):
            await anext(updates)
        assert feed.violations == 0


async def test_who_joins_brings_a_reset() -> None:
    """Two subscriptions share the wire; the gateway is asked for the larger history, and each keeps its own."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        first = await peer.command()
        await peer.say(answer(first), candles(candle(1), candle(2), reset=True))
        second = await peer.command()
        assert (first["history"], second["history"]) == (1, 5)
        await peer.say(answer(second), candles(candle(1), candle(2), candle(3), reset=True))
        await peer.gone()

    async with gateway(script) as url, connect(url) as feed:
        few = feed.candles("AAPL", history=1)
        assert minutes(await anext(few)) == [2]
        many = feed.candles("AAPL", history=5)
        assert minutes(await anext(many)) == [1, 2, 3]
        assert minutes(await anext(few)) == [3]


@pytest.mark.parametrize(
    ("reason", "error"),
    [("unknown_symbol", UnknownSymbol), ("not_entitled", NotEntitled), ("delayed_unavailable", NotEntitled)],
)
async def test_a_rejection_ends_it(reason: str, error: type[NotFollowed]) -> None:
    """What will not be served raises once; other candles of the same command go on."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        command = await peer.command()
        assert command["symbols"] == ["ZZ", "AAPL"]
        await peer.say(answer(command, {"ZZ": reason}), candles(candle(1), reset=True))
        await peer.gone()

    async with gateway(script) as url, connect(url) as feed:
        bad, good = feed.candles("ZZ"), feed.candles("AAPL")
        with pytest.raises(error, match=f"ZZ: {reason.replace('_', ' ')}"):
            await anext(bad)
        with pytest.raises(StopAsyncIteration):
            await anext(bad)
        assert minutes(await anext(good)) == [1]


async def test_too_many_are_asked_for_one_by_one() -> None:
    """Where a command of several symbols is refused, those that there is room for are served all the same."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        for _ in range(3):
            command = await peer.command()
            if command["symbols"] == ["AAPL"]:
                await peer.say(answer(command), candles(candle(1), reset=True))
            else:
                await peer.say(frame("error", id=command["id"], code="too_many_symbols", message="at most 1"))
        await peer.gone()

    async with gateway(script) as url, connect(url) as feed:
        good, bad = feed.candles("AAPL"), feed.candles("MSFT")
        assert minutes(await anext(good)) == [1]
        with pytest.raises(TooManySymbols):
            await anext(bad)


async def test_ended_by_the_gateway() -> None:
    """Candles that a token does not allow any more end, with the reason."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        command = await peer.command()
        await peer.say(answer(command), candles(candle(1), reset=True))
        await peer.say(frame("unsubscribed", id=None, candles="1m", symbols=["AAPL"], reason="not_entitled"))
        await peer.gone()

    async with gateway(script) as url, connect(url) as feed:
        updates = feed.candles("AAPL")
        assert minutes(await anext(updates)) == [1]
        with pytest.raises(NotEntitled):
            await anext(updates)


async def test_a_gateway_without_candles() -> None:
    """A gateway that takes the command for one about ticks does not serve candles: that is one clear error."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        command = await peer.command()
        await peer.say(subscribed(command["id"], {}, AAPL=None), snapshot(7, tick("AAPL", 1)))
        await peer.gone()

    async with gateway(script) as url, connect(url) as feed:
        with pytest.raises(NotFollowed, match="candles unsupported"):
            await anext(feed.candles("AAPL"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("AAPL", "5m"), "interval is '5m', but must be '1s' or '1m'"),
        (("AAPL", "1m", 501), "history is 501, but must be a whole number from 0 to 500"),
        (("AAPL", "1m", -1), "history is -1"),
        (("aapl",), "'aapl' is no symbol"),
        (("*",), "by name"),
    ],
)
async def test_bad_arguments(arguments: tuple[Any, ...], sentence: str) -> None:
    """What no gateway would accept raises at once, and says what is allowed."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.gone()

    async with gateway(script) as url, connect(url) as feed:
        with pytest.raises(BadRequest, match=sentence):
            feed.candles(*arguments)


def update(*starts: int, reset: bool = False, trades: int = 1) -> CandleUpdate:
    """Return an update of these minutes."""
    one = Decimal(1)
    rows = (Candle("A", "1m", start, 1, one, one, one, one, 1, trades) for start in starts)
    return CandleUpdate("A", "1m", tuple(rows), reset)


async def test_a_slow_reader_gets_one_update() -> None:
    """What was not read yet is merged: each candle in its last state, once; a reset drops what it replaces."""
    line = CandleLine(("A", "1m"), 300)
    line.offer(update(1, 2, reset=True))
    line.offer(update(2, 3, trades=9))
    found = await line.take()
    assert (found.reset, [(c.start, c.trades) for c in found.candles]) == (True, [(1, 1), (2, 9), (3, 9)])
    line.offer(update(4))
    line.offer(update(3, reset=True))
    assert await line.take() == update(3, reset=True)


async def test_a_reader_that_never_reads_costs_a_bound() -> None:
    """Of more candles than may wait the newest stay, and replace all that the reader has."""
    line = CandleLine(("A", "1m"), 300)
    for start in range(WAITING + 50):
        line.offer(update(start))
    found = await line.take()
    assert found == update(*range(50, WAITING + 50), reset=True)
