"""What `services.broker.revocations` promises, for each adapter."""

from __future__ import annotations

import asyncio

import pytest

from services.broker.revocations import Revocation
from services.errors import BadInput, BrokerUnavailable
from tests.contract.admissions import running
from tests.contract.controls import Controls
from tests.eventually import eventually

ALICE, BOB = Revocation(1_795_000_000.25, subject="alice"), Revocation(1_795_000_001.0, None, "t-1")


async def test_a_revocation_reaches_every_gateway(broker: Controls) -> None:
    """Each one that is connected hears of it within 2 s."""
    first, second = await broker.admission("a"), await broker.admission("b")
    revoker = await broker.revoker()
    async with running(first) as one, running(second) as two:
        await revoker.revoke([ALICE])
        await eventually(lambda: one.revoked == two.revoked == [ALICE], deadline=30.0)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await revoker.revoke([BOB])
        await eventually(lambda: one.revoked == two.revoked == [ALICE, BOB])
        assert loop.time() - began < 2.0


async def test_who_comes_later_hears_of_all(broker: Controls) -> None:
    """A gateway that starts later hears of everything that is kept, in the order written."""
    revoker = await broker.revoker()
    await revoker.revoke([ALICE, BOB])
    await revoker.revoke([ALICE])
    async with running(await broker.admission("a")) as one:
        await eventually(lambda: one.revoked == [ALICE, BOB, ALICE], deadline=15.0)


async def test_after_a_lost_connection_nothing_is_missing(broker: Controls) -> None:
    """What was revoked while a gateway was away, it hears on its next connection, with all before."""
    revoker = await broker.revoker()
    async with running(await broker.admission("a")) as one:
        await revoker.revoke([ALICE])
        await eventually(lambda: one.revoked == [ALICE], deadline=15.0)
        await broker.refuse()
        await eventually(lambda: one.lost)
        with pytest.raises(BrokerUnavailable):
            await revoker.revoke([BOB])
        await broker.accept()
        await revoker.revoke([BOB])
        await eventually(lambda: one.connections == 2 and one.revoked[1:] == [ALICE, BOB], deadline=15.0)


async def test_a_revocation_of_nobody_is_refused(broker: Controls) -> None:
    """What names neither a subject nor a token, or both, is not written."""
    revoker = await broker.revoker()
    for bad in (Revocation(1.0), Revocation(1.0, "a", "b")):
        with pytest.raises(BadInput):
            await revoker.revoke([bad])
