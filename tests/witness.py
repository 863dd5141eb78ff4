"""What was really published: an own look at the ticks' exchange, past everything of Tickwire's but its names."""

from __future__ import annotations

from collections import defaultdict
from types import TracebackType
from typing import Final, Self

import aio_pika
import orjson
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, ExchangeType
from pamqp.common import FieldTable

EXCHANGE: Final = "tickwire.ticks"
CONTROL: Final = "tickwire.control"
WITNESS: Final = "witness."
"""How the names of a witness's queues begin, so that nobody counts them as Tickwire's."""
NEWEST: Final[FieldTable] = {"x-max-length": 1}


class _OnTheBroker:
    """A connection and a channel of one's own."""

    _connection: AbstractConnection
    _channel: AbstractChannel

    def __init__(self, url: str) -> None:
        self._url = url

    async def __aenter__(self) -> Self:
        """Connect and bind."""
        self._connection = await aio_pika.connect(self._url)
        self._channel = await self._connection.channel(publisher_confirms=False)
        await self._channel.declare_exchange(EXCHANGE, ExchangeType.TOPIC, durable=True)
        await self._bind()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave nothing on the broker: the queues are exclusive."""
        await self._connection.close()

    async def _bind(self) -> None:
        raise NotImplementedError


class LastMarks(_OnTheBroker):
    """The newest control message, which the broker keeps: when a producer has ended, its farewell heartbeat.

    One queue that gets one message a second, whatever the rate of the ticks: a queue of length 1 per symbol
    would be a quarter more work for a broker that serves two gateways.
    """

    async def _bind(self) -> None:
        await self._channel.declare_exchange(CONTROL, ExchangeType.FANOUT, durable=True)
        name = f"{WITNESS}control"
        self._queue = await self._channel.declare_queue(name, exclusive=True, arguments=NEWEST)
        await self._queue.bind(CONTROL)

    async def read(self) -> dict[str, tuple[int, int]]:
        """Return the last position of each symbol, as the producer told it after its last confirm."""
        message = await self._queue.get(no_ack=True)
        assert message is not None
        told = orjson.loads(message.body)
        assert told["type"] == "heartbeat"
        assert told["full"], "the farewell tells the marks of all symbols"
        return {symbol: (told["epoch"], seq) for symbol, seq in told["marks"].items()}


class Record(_OnTheBroker):
    """Every tick that was published since the binding, as its bytes; about 0.1 ms of CPU per message."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.lines: defaultdict[str, dict[tuple[int, int], bytes]] = defaultdict(dict)
        self.last: dict[str, tuple[int, int]] = {}
        """The last position of each symbol."""

    async def _bind(self) -> None:
        queue = await self._channel.declare_queue(f"{WITNESS}#", exclusive=True)
        await queue.bind(EXCHANGE, "tick.#")
        await queue.consume(self._take, no_ack=True)

    async def _take(self, message: AbstractIncomingMessage) -> None:
        epoch, first = _identity(message)
        symbol = (message.routing_key or "").removeprefix("tick.")
        for offset, line in enumerate(message.body.split(b"\n")):
            self.lines[symbol][epoch, first + offset] = line
        self.last[symbol] = max((epoch, first + offset), self.last.get(symbol, (0, 0)))

    def content(self, symbol: str, epoch: int, seq: int) -> bytes | None:
        """The bytes of a tick, for a checker; None where this record has not seen it (yet)."""
        return self.lines[symbol].get((epoch, seq))

    @property
    def ends(self) -> dict[str, dict[int, int]]:
        """The last seq of each epoch, by symbol."""
        return {symbol: dict(sorted(lines)) for symbol, lines in self.lines.items()}


def _identity(message: AbstractIncomingMessage) -> tuple[int, int]:
    epoch, first, _ = (message.message_id or "").split("-")
    return int(epoch), int(first)
