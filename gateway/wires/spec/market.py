"""Schemas of what the market has, the same on every wire.  Pure."""

from __future__ import annotations

from gateway.wires.spec.vocabulary import (
    Schema,
    choice,
    epoch,
    fields,
    integer,
    moment,
    nullable,
    price,
    symbol,
    truth,
)
from services.market.directory import SessionState

SEQ = "Counts the symbol's ticks of one epoch: 1, 2, 3 …"


def tick() -> Schema:
    """Return a tick as the producer encodes it."""
    return fields(
        {
            "seq": integer(SEQ, least=1),
            "ts": moment("When it happened, by the producer's clock; it may fall where that is set back."),
            "symbol": symbol(),
            "price": price("The last trade."),
            "size": integer("Of the trade; 0: only the quote changed."),
            "bid": price("The best bid."),
            "ask": price("The best ask."),
            "bid_size": integer("Round lots at the best bid."),
            "ask_size": integer("Round lots at the best ask."),
            "volume": integer("Of the day."),
            "skipped": integer(
                "Only for a conflating client: how many ticks before this one were left out.", least=1
            ),
        },
        "One trade or quote change of one symbol.",
        optional=("skipped",),
    )


def position() -> Schema:
    """Return a position to go on after."""
    return fields(
        {"epoch": epoch(), "seq": integer(f"{SEQ}  0: before the first one.")},
        "Which tick of a symbol, over all runs of its producer: ordered by epoch, then by seq.",
    )


def session_state() -> Schema:
    """Return where a trading day stands."""
    return choice(SessionState, "Where the symbol's trading day stands.")


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
            "volume": integer("Traded during it.", least=1),
            "trades": integer("How many trades.", least=1),
            "partial": truth("True: some of its trades may be missing.  Left out where none is."),
        },
        "What the trades of one second or one minute did.",
        optional=("partial",),
    )


def day() -> Schema:
    """Return the day's figures of one symbol."""
    unknown = "  Null where no history answered in time."
    first = "  Null too before the day's first trade."
    return fields(
        {
            "session": session_state(),
            "previous_close": price("The last price of the day before."),
            "epoch": nullable(epoch(f"With `seq`: up to where the figures count.{unknown}")),
            "seq": nullable(integer(f"With `epoch`: up to where the figures count.{unknown}", least=1)),
            "open": nullable(price(f"The day's first trade.{unknown}{first}")),
            "high": nullable(price(f"The day's highest trade.{unknown}{first}")),
            "low": nullable(price(f"The day's lowest trade.{unknown}{first}")),
            "volume": nullable(integer(f"Of the day.{unknown}")),
        },
        "The day of one symbol, as far as it has gone.",
    )
