"""One at a time per key."""

from __future__ import annotations

import asyncio

from services.broker.rabbitmq.turns import Turns
from tests.eventually import turns as loop_turns


async def test_a_key_is_held_by_one_in_the_order_of_asking() -> None:
    """Blocks of one key follow each other in the order of asking; another key's does not wait."""
    turns, seen, gate = Turns(), [], asyncio.Event()

    async def block(key: str, name: str) -> None:
        async with turns.of(key):
            seen.append(name)
            if key == "a":
                await gate.wait()
            seen.append(name)

    tasks = [asyncio.create_task(block(*pair)) for pair in [("a", "1"), ("a", "2"), ("b", "3")]]
    await loop_turns()
    assert seen == ["1", "3", "3"]
    gate.set()
    await asyncio.gather(*tasks)
    assert seen == ["1", "3", "3", "1", "2", "2"]
    assert len(turns) == 0


async def test_a_cancelled_wait_leaves_nothing() -> None:
    """Whoever is cancelled while waiting takes no turn, and the key is forgotten after the last one."""
    turns = Turns()

    async def wait() -> None:
        async with turns.of("a"):
            raise AssertionError("never its turn")

    async with turns.of("a"):
        task = asyncio.create_task(wait())
        await loop_turns()
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()
        assert len(turns) == 1
    assert len(turns) == 0
