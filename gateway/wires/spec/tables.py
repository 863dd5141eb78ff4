"""Bodies of the HTTP wire's answers, and an example of each.  Pure."""

from __future__ import annotations

from typing import Any, Final

import orjson

from gateway.frames import GapReason, NoSnapshot
from gateway.wires.spec.market import SEQ, session_state
from gateway.wires.spec.samples import APPLE, EPOCH, LINE, NOW
from gateway.wires.spec.vocabulary import (
    Schema,
    choice,
    epoch,
    fields,
    integer,
    listed,
    mapped,
    moment,
    nullable,
    price,
    ref,
    symbol,
    text,
    truth,
)

POSITION: Final = r"^[1-9][0-9]{0,15}-[0-9]{1,16}$"
"""A position in a URL: `<epoch>-<seq>`."""
TICK: Final = orjson.loads(LINE)
SESSION: Final = {"state": APPLE.session, "reason": None, "since": APPLE.since}
INSTRUMENT: Final = {
    "symbol": APPLE.symbol,
    "name": APPLE.name,
    "exchange": APPLE.exchange,
    "currency": APPLE.currency,
    "decimals": APPLE.decimals,
    "tick_size": 0.01,
    "previous_close": 268.50,
    "session": SESSION,
}
QUOTE: Final = {"epoch": EPOCH, "tick": TICK, "day": None}
CANDLE: Final = {
    "start": NOW // 60_000_000 * 60_000_000,
    "epoch": EPOCH,
    "open": 268.44,
    "high": 268.49,
    "low": 268.44,
    "close": 268.47,
    "volume": 5743,
    "trades": 41,
    "complete": False,
}


def instrument() -> Schema:
    """Return one symbol of the directory."""
    return fields(
        {
            "symbol": symbol(),
            "name": text("Of the company or fund."),
            "exchange": text("Where it trades."),
            "currency": text("Of its prices."),
            "decimals": integer("Of its prices.", most=9),
            "tick_size": price("The least step of its price."),
            "previous_close": price("The last price of the day before."),
            "session": ref("Session"),
        },
        "What the directory says of a symbol.",
    )


def session() -> Schema:
    """Return the trading session of a symbol."""
    return fields(
        {
            "state": session_state(),
            "reason": nullable(text("Null so far.")),
            "since": moment("When it began."),
        },
        "Where a symbol's trading day stands.",
    )


def directory() -> Schema:
    """Return the answer of `/v1/symbols`."""
    return fields(
        {
            "symbols": listed(ref("Instrument"), "In rising order."),
            "next": nullable(symbol("Ask again with it as `after`; null: this is the end.")),
        },
        "A part of the directory.",
    )


def quote() -> Schema:
    """Return one symbol of `/v1/quotes`."""
    return fields(
        {"epoch": epoch("Of the tick."), "tick": ref("Tick"), "day": nullable(ref("Day"))},
        "The newest tick of a symbol, and its day.",
    )


def quotes() -> Schema:
    """Return the answer of `/v1/quotes`."""
    return fields(
        {
            "quotes": mapped(ref("Quote"), "The symbols that have a tick."),
            "missing": mapped(choice(NoSnapshot, "Why."), "The symbols that have none."),
        },
        "The newest ticks of some symbols.",
    )


def hole() -> Schema:
    """Return ticks that are not there."""
    return fields(
        {
            "epoch": epoch(),
            "from": integer("The first one.", least=1),
            "to": nullable(integer("The last one; null: up to the next tick that there is.", least=1)),
            "reason": choice(GapReason, "Why; only `lost` and `forgotten` are final."),
        },
        "Ticks that are not in the answer although they were made.",
    )


def ticks() -> Schema:
    """Return the answer of `/v1/ticks/{symbol}`."""
    return fields(
        {
            "symbol": symbol(),
            "epoch": nullable(epoch("Of all ticks in the answer.")),
            "ticks": listed(ref("Tick"), "In order."),
            "gaps": listed(ref("Hole"), "What is missing between them."),
            "next": nullable(text("Ask again with it as `after`.", pattern=POSITION)),
        },
        "What came after a position.",
    )


def candle() -> Schema:
    """Return one candle."""
    return fields(
        {
            "start": moment("When it begins."),
            "epoch": epoch("Of its last trade."),
            "open": price("Its first trade."),
            "high": price("Its highest trade."),
            "low": price("Its lowest trade."),
            "close": price("Its last trade."),
            "volume": integer("Traded during it."),
            "trades": integer("How many trades."),
            "complete": truth("False: it may still grow."),
        },
        "What the trades of one second or one minute did.",
    )


def candles() -> Schema:
    """Return the answer of `/v1/candles/{symbol}`."""
    return fields(
        {
            "symbol": symbol(),
            "interval": choice(("1s", "1m"), "How long each one is."),
            "candles": listed(ref("Candle"), "Oldest first; none where nothing was traded."),
        },
        "The newest candles of a symbol.",
    )


def schemas() -> dict[str, Schema]:
    """Return the bodies by their names."""
    return {
        "Instrument": instrument(),
        "Session": session(),
        "Directory": directory(),
        "Quote": quote(),
        "Quotes": quotes(),
        "Hole": hole(),
        "Ticks": ticks(),
        "Candle": candle(),
        "Candles": candles(),
    }
