"""Recordings, and their frames of pandas."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import pandas as pd
import pytest

from scripted import Peer, frame, gateway, snapshot, tick, ticks, welcome
from tickwire_client import BadRequest, Feed, Gap, Recording, UnknownSymbol, connect, recorder
from tickwire_client.cursor import Position
from tickwire_client.recording import COLUMNS
from tickwire_client.tick import Arrival, Tick, parse

TS = 1_795_000_000_000_123


def _tick(seq: int, price: str = "230.10", **more: int) -> Tick:
    fields = {**parse(tick("AAPL", seq, price)), "ts": TS + seq}
    return Tick(fields, Arrival(TS + 2000, None, 500), 7, more.get("skipped", 0), snapshot=seq == 1)


def _recorded() -> Recording:
    recording = Recording()
    recording.add(_tick(1))
    recording.add(_tick(5, "230.00", skipped=3))
    recording.missed(Gap("AAPL", 7, 6, 8, "lost"))
    recording.missed(Gap("AAPL", 7, 9, None, "unavailable"))
    return recording


def test_frame() -> None:
    """A frame has a row per tick, prices as floats, and times in UTC to the microsecond."""
    frame = _recorded().to_dataframe()

    assert tuple(frame.columns) == COLUMNS
    kinds = {name: str(kind) for name, kind in frame.dtypes.items()}
    assert (kinds["ts"], kinds["received"]) == ("datetime64[us, UTC]", "datetime64[us, UTC]")
    assert (kinds["price"], kinds["seq"], kinds["snapshot"]) == ("float64", "int64", "bool")
    first, second = frame.to_dict("records")
    assert (first["symbol"], first["epoch"], first["seq"], first["price"]) == ("AAPL", 7, 1, 230.1)
    assert first["ts"] == pd.Timestamp(TS + 1, unit="us", tz="UTC")
    assert (first["snapshot"], second["snapshot"], second["skipped"]) == (True, False, 3)
    assert first["latency"] == pytest.approx(0.002499)


def test_decimal() -> None:
    """`decimal=True` keeps prices as the wire spells them."""
    frame = _recorded().to_dataframe(decimal=True)

    assert [str(price) for price in frame["price"]] == ["230.10", "230.00"]
    assert isinstance(frame["bid"][0], Decimal)


def test_gaps() -> None:
    """Gaps are a frame of their own; an end that nobody knows is <NA>."""
    gaps = _recorded().gaps_to_dataframe()

    assert gaps["last"].tolist() == [8, pd.NA]
    assert gaps["final"].tolist() == [True, False]
    assert str(gaps["first"].dtype) == "int64"


def test_empty() -> None:
    """A recording of nothing has all columns, with their types."""
    empty, recorded = Recording(), _recorded()

    for name in ("ts", "received", "epoch", "seq", "price", "latency"):
        assert empty.to_dataframe()[name].dtype == recorded.to_dataframe()[name].dtype, name
    assert (empty.gaps_to_dataframe().dtypes["last"], len(empty.gaps_to_dataframe())) == ("Int64", 0)


def test_columns() -> None:
    """Columns need no pandas, have one value per tick, and do not change with the recording."""
    recording = _recorded()
    columns = recording.columns()
    recording.add(_tick(6))

    assert tuple(columns) == COLUMNS
    assert {len(values) for values in columns.values()} == {2}
    assert (list(columns["seq"]), list(columns["ts"])) == ([1, 5], [TS + 1, TS + 5])
    assert (len(recording), recording.skipped) == (3, 3)


@asynccontextmanager
async def _aapl(*last: str) -> AsyncIterator[Feed]:
    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.serve(snapshot(7, tick("AAPL", 1)), AAPL=None)
        await peer.say(ticks(*(tick("AAPL", seq) for seq in range(2, 11))))
        await peer.say(frame("gap", symbol="AAPL", epoch=7, first=11, last=12, reason="lost"))
        await peer.say(ticks(tick("AAPL", 13)), *last)
        await peer.gone()

    async with gateway(script) as url, connect(url) as feed:
        yield feed


async def test_so_many() -> None:
    """`ticks=` ends a recording with that many, and the gaps between them."""
    async with _aapl() as feed:
        recording = await feed.record("AAPL", ticks=11)

    assert list(recording.columns()["seq"]) == [*range(1, 11), 13]
    assert (recording.gaps, recording.full) == ([Gap("AAPL", 7, 11, 12, "lost")], False)


async def test_so_long() -> None:
    """`seconds=` ends a recording after that time, with what came."""
    async with _aapl() as feed:
        recording = await feed.record("AAPL", seconds=0.5, snapshot=True)
        assert len(recording) == 11
        assert feed.cursor("AAPL") == Position(7, 13)


async def test_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording that is bounded in time only ends early rather than fill the memory, and says so."""
    monkeypatch.setattr(recorder, "ROWS", 5)
    async with _aapl() as feed:
        recording = await feed.record("AAPL", seconds=20)

    assert (len(recording), recording.full) == (5, True)


async def test_to_dataframe() -> None:
    """`feed.to_dataframe` records and returns the frame."""
    async with _aapl() as feed:
        frame = await feed.to_dataframe("AAPL", ticks=3, decimal=True)

    assert frame["seq"].tolist() == [1, 2, 3]
    assert isinstance(frame["price"][0], Decimal)


@pytest.mark.parametrize(
    ("bounds", "sentence"),
    [
        ({}, "a recording needs an end: seconds=, ticks=, or both"),
        ({"seconds": 0.0}, "seconds is 0.0, but must be above 0"),
        ({"ticks": 0}, "ticks is 0, but must be 1 or more"),
    ],
)
async def test_bad_bounds(bounds: dict[str, int], sentence: str) -> None:
    """A recording without an end, or one that holds nothing, is refused at once."""
    async with _aapl() as feed:
        with pytest.raises(BadRequest, match=sentence):
            await feed.record("AAPL", seconds=bounds.get("seconds"), ticks=bounds.get("ticks"))
        await anext(feed.subscribe("AAPL"))


async def test_unknown_symbol() -> None:
    """What ends the subscription ends the recording."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        command = await peer.command()
        await peer.say(
            frame("subscribed", id=command["id"], symbols={}, rejected={"ZZZZ": "unknown_symbol"}, pending=0)
        )
        await peer.gone()

    async with gateway(script) as url, connect(url) as feed:
        with pytest.raises(UnknownSymbol):
            await feed.record("ZZZZ", seconds=20)


def test_without_pandas() -> None:
    """Without pandas the error names the extra, and is an ImportError, too."""
    program = """
import sys
sys.modules["pandas"] = None
from tickwire_client import MissingExtra, Recording
try:
    Recording().to_dataframe()
except MissingExtra as error:
    assert isinstance(error, ImportError) and error.name == "pandas"
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603

    assert done.stdout == "this needs pandas: pip install 'tickwire-client[dataframe]'\n"
