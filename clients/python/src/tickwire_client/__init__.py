"""A client of Tickwire: every tick once and in order, or told which ones are not coming.

async with connect("ws://localhost:8080/v1/stream") as feed:
    async for tick in feed.subscribe("AAPL", max_rate=5):
        print(tick.symbol, tick.price)
"""

from tickwire_client.account import Account
from tickwire_client.candle import Candle, CandleUpdate
from tickwire_client.candlesubscription import CandleSubscription
from tickwire_client.closing import Ending
from tickwire_client.cursor import Cursor, Position
from tickwire_client.day import Day
from tickwire_client.entrance import connect
from tickwire_client.errors import (
    BadAddress,
    BadRequest,
    FeedClosed,
    MissingExtra,
    NotEntitled,
    NotFollowed,
    NoTick,
    NotTrusted,
    Refused,
    TickwireClientError,
    TokenRefused,
    TooManySymbols,
    UnknownSymbol,
    Unreachable,
    WrongUse,
)
from tickwire_client.events import Complaint, EpochChange, Gap, SessionChange, Status, Violation
from tickwire_client.feed import Feed
from tickwire_client.recording import Recording
from tickwire_client.subscription import Subscription
from tickwire_client.tick import Tick

__version__ = "0.1.0"
__all__ = [
    "Account",
    "BadAddress",
    "BadRequest",
    "Candle",
    "CandleSubscription",
    "CandleUpdate",
    "Complaint",
    "Cursor",
    "Day",
    "Ending",
    "EpochChange",
    "Feed",
    "FeedClosed",
    "Gap",
    "MissingExtra",
    "NoTick",
    "NotEntitled",
    "NotFollowed",
    "NotTrusted",
    "Position",
    "Recording",
    "Refused",
    "SessionChange",
    "Status",
    "Subscription",
    "Tick",
    "TickwireClientError",
    "TokenRefused",
    "TooManySymbols",
    "UnknownSymbol",
    "Unreachable",
    "Violation",
    "WrongUse",
    "connect",
]
