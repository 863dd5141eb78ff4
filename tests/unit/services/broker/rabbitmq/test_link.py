"""A connection to one address, without a broker."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from yarl import URL

from services.broker.rabbitmq.frames import Closed
from services.broker.rabbitmq.link import Link, ignore
from services.broker.traffic import Refused, Traffic
from services.runtime.clock import SystemClock
from tests.eventually import turns


async def test_a_swallowed_cancellation_is_raised_all_the_same() -> None:
    """Whoever is cancelled while the broker is asked does not go on, though the library swallows it."""
    link = Link(URL("amqp://host:1/?heartbeat=5"), SystemClock(), ignore, Traffic())
    went_on = False

    async def ask() -> None:
        nonlocal went_on
        with link.answer_within(), suppress(asyncio.CancelledError):  # as aiormq does now and then
            await asyncio.get_running_loop().create_future()
        went_on = True

    task = asyncio.create_task(ask())
    await turns()
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert not went_on


async def test_a_channel_that_the_broker_closed_is_counted() -> None:
    """Channels count by the broker's code, those of an unknown one together; the end of a connection does not."""
    traffic = Traffic()
    link = Link(URL("amqp://host:1/?heartbeat=5"), SystemClock(), ignore, traffic)
    for channel, code in ((1, 404), (2, 404), (1, 599), (0, 320)):
        link.on_event(Closed(channel, code, "text"))

    assert {code: count for code, count in traffic.refused.items() if count} == {
        Refused.NOT_FOUND: 2,
        Refused.OTHER: 1,
    }
