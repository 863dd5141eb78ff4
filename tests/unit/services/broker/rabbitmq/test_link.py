"""A connection to one address, without a broker."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from yarl import URL

from services.broker.rabbitmq.link import Link, ignore
from services.runtime.clock import SystemClock
from tests.eventually import turns


async def test_a_swallowed_cancellation_is_raised_all_the_same() -> None:
    """Whoever is cancelled while the broker is asked does not go on, though the library swallows it."""
    link = Link(URL("amqp://host:1/?heartbeat=5"), SystemClock(), ignore)
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
