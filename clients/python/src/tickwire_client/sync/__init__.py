"""The same client without asyncio: for scripts, notebooks, and programs of threads.

with connect("ws://localhost:8080/v1/stream") as feed:
    for tick in feed.subscribe("AAPL", max_rate=5):
        print(tick.symbol, tick.price)
"""

from tickwire_client.sync.candlesubscription import CandleSubscription
from tickwire_client.sync.entrance import connect
from tickwire_client.sync.feed import Feed
from tickwire_client.sync.subscription import Subscription

__all__ = ["CandleSubscription", "Feed", "Subscription", "connect"]
