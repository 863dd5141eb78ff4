"""Bodies of the HTTP wire's answers.  Pure."""

from __future__ import annotations

from typing import Final

from gateway.frames import GapReason, NoSnapshot
from gateway.wires.http.query import INTERVALS
from gateway.wires.spec import market
from gateway.wires.spec.market import session_state
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

POSITION: Final = r"^[0-9]{1,16}-[0-9]{1,16}$"
"""A position in a URL: `<epoch>-<seq>`."""


def schemas() -> dict[str, Schema]:
    """Return the bodies, and what they are made of, by their names."""
    return {
        "Directory": directory(),
        "Instrument": instrument(),
        "Session": session(),
        "Quotes": quotes(),
        "Quote": quote(),
        "Ticks": ticks(),
        "DatedTick": dated_tick(),
        "Hole": hole(),
        "Candles": candles(),
        "DatedCandle": dated_candle(),
    }


def directory() -> Schema:
    """Return the answer of `/v1/symbols`."""
    return fields(
        {
            "symbols": listed(ref("Instrument"), "In the order of their names."),
            "next": nullable(symbol("Ask again with it as `after`; null: this is the end.")),
        },
        "A part of the directory.",
    )


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


def quotes() -> Schema:
    """Return the answer of `/v1/quotes`."""
    return fields(
        {
            "quotes": mapped(ref("Quote"), "The symbols that have a tick."),
            "missing": mapped(choice(NoSnapshot, "Why."), "The symbols that have none."),
        },
        "The newest ticks of some symbols.",
    )


def quote() -> Schema:
    """Return one symbol of `/v1/quotes`."""
    return fields(
        {"epoch": epoch("Of the tick."), "tick": ref("Tick"), "day": ref("Day")},
        "The newest tick of a symbol, and its day.",
    )


def ticks() -> Schema:
    """Return the answer of `/v1/ticks/{symbol}`."""
    return fields(
        {
            "symbol": symbol(),
            "epoch": nullable(epoch("Of `next`; null: there is no tick at all.")),
            "next": nullable(text("Ask again with it as `after`.", pattern=POSITION)),
            "more": truth("Whether what follows `next` is there already."),
            "gaps": listed(ref("Hole"), "What is missing between the ticks."),
            "ticks": listed(ref("DatedTick"), "In order."),
        },
        "What came after a position.",
    )


def dated_tick() -> Schema:
    """Return a tick that says its epoch, since an answer may have several."""
    tick = market.tick()
    named = {"epoch": epoch(), **{name: of for name, of in tick["properties"].items() if name != "skipped"}}
    return fields(named, "A tick and its epoch.")


def hole() -> Schema:
    """Return ticks that are not there."""
    return fields(
        {
            "epoch": epoch(),
            "from": integer("The first one.", least=1),
            "to": nullable(
                integer("The last one; null: the rest of that epoch, and the epochs up to the next tick.")
            ),
            "reason": choice(GapReason, "Why; only `lost` and `forgotten` are final."),
        },
        "Ticks that were made, and are not in the answer.",
    )


def candles() -> Schema:
    """Return the answer of `/v1/candles/{symbol}`."""
    return fields(
        {
            "symbol": symbol(),
            "interval": choice(INTERVALS, "How long each one is."),
            "candles": listed(ref("DatedCandle"), "Oldest first; none where nothing was traded."),
        },
        "The newest candles of a symbol.",
    )


def dated_candle() -> Schema:
    """Return a candle that says whether it may still grow."""
    candle = market.candle()
    named = {name: of for name, of in candle["properties"].items() if name in candle["required"]}
    named["complete"] = truth("False: it may still grow.")
    return fields(named, "What the trades of one second or one minute did.")
