"""The gateway behind a page is killed, and comes back: with RabbitMQ, a producer and history behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from playwright.async_api import Browser, Page, expect

from producer.sources.universe import load
from tests.browser.judged import JudgedWire
from tests.browser.visits import connected, number, visit
from tests.checker import Checker
from tests.conftest import clean
from tests.eventstream import EventStream
from tests.eventually import eventually
from tests.stack import Stack, Tickwire
from tests.witness import Record

pytestmark = [pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]

RATE: Final = 400
SYMBOLS: Final = [str(listing.symbol) for listing in load(None)]
SOON_S: Final = 30.0
"""Longest wait for what was published to be on the page."""
AWAY: Final = ("ERR_CONNECTION_REFUSED", "Failed to load resource", "WebSocket connection to")
"""What a browser says of a gateway that is away."""
_CLOSED: Final = 2
_EVENTS: Final = (
    "subscribed", "unsubscribed", "snapshot", "day", "ticks", "gap", "epoch", "session", "status", "reconnect",
    "error",
)  # fmt: skip
_LISTEN: Final = """
([url, names]) => {
  window.events = [];
  window.source = new EventSource(url);
  source.onopen = () => events.push(["open", "", ""]);
  for (const name of names)
    source.addEventListener(name, (e) => e.data && events.push([name, e.data, e.lastEventId]));
}
"""
"""Keep all that a stream says, by the browser's own reader."""


class Stage:
    """A gateway that can be killed, on a port that stays, and what was published behind it."""

    def __init__(self, stack: Stack, record: Record, gateway: Tickwire) -> None:
        self.record = record
        self._stack, self._gateway = stack, gateway

    @property
    def address(self) -> str:
        """Of the page; ends with a slash."""
        return f"http://127.0.0.1:{self._gateway.port}/"

    @property
    def http(self) -> ClientSession:
        """Connections of the tests' own."""
        return self._stack.http

    async def kill(self) -> None:
        """Send SIGKILL."""
        await self._gateway.kill()

    async def come_back(self) -> None:
        """Start another gateway on the same port."""
        self._gateway = await self._stack.gateway(PORT=self._gateway.port)
        await self._gateway.ready()

    async def published(self, more: int) -> dict[str, tuple[int, int]]:
        """Return the last positions, once there are *more* ticks of the first symbol."""
        first = SYMBOLS[0]
        epoch, seq = self.record.last.get(first, (0, 0))
        await eventually(lambda: self.record.last.get(first, (0, 0)) >= (epoch, seq + more), deadline=SOON_S)
        return dict(self.record.last)


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="stage")
async def _stage(amqp_url: str) -> AsyncIterator[Stage]:
    """All of Tickwire as processes."""
    await clean(amqp_url)
    async with Stack(amqp_url) as stack, Record(amqp_url) as record:
        await stack.start("history", {})
        await stack.producer(RATE=RATE, SEED=7)
        gateway = await stack.gateway()
        await gateway.ready()
        yield Stage(stack, record, gateway)


async def reaches(checker: Checker, marks: dict[str, tuple[int, int]], names: list[str]) -> None:
    """Return once *checker* has accounted for all up to *marks*."""
    await eventually(
        lambda: all((checker.cursor(name) or (0, 0)) >= marks[name] for name in names), deadline=SOON_S
    )


def whole(checker: Checker, conflated: dict[str, int]) -> None:
    """Check that every tick came, once and as it was published, but for those *conflated* before."""
    checker.check()
    for name, count in conflated.items():
        account = checker.account(name)
        assert (account.missing, account.open, account.conflated) == ({}, {}, count), name
        assert account.snapshots == 1, name


async def test_page_resumes(browser: Browser, stage: Stage) -> None:
    """The page comes back by itself where it was: one reconnect, and every tick of every symbol, once."""
    async with visit(browser, f"{stage.address}notices.txt", excused=AWAY) as tab:
        checker = Checker("page", content=stage.record.content)
        wire = JudgedWire(tab, checker)
        await tab.goto(stage.address)
        await connected(tab)
        await tab.get_by_test_id("pace").select_option("all")
        await expect(tab.get_by_test_id("asked")).to_have_text("every tick")
        await reaches(checker, await stage.published(10), SYMBOLS)
        conflated = {name: checker.account(name).conflated for name in SYMBOLS}

        await stage.kill()
        await expect(tab.get_by_test_id("connection")).to_have_text("reconnecting")
        await stage.published(5)
        await stage.come_back()
        await connected(tab)
        await reaches(checker, await stage.published(5), SYMBOLS)

        assert wire.connections >= 2
        assert [await number(tab, name) for name in ("reconnects", "violations", "gaps")] == [1, 0, 0]
        await expect(tab.get_by_test_id("missing")).to_have_text("")
        whole(checker, conflated)


async def test_event_source_resumes(browser: Browser, stage: Stage) -> None:
    """The browser's own EventSource comes back with the id of the last event, and misses nothing."""
    names = SYMBOLS[:5]
    async with visit(browser, f"{stage.address}notices.txt", excused=AWAY) as tab:
        stream = EventStream(stage.http, names, Checker("EventSource", content=stage.record.content))
        await tab.evaluate(_LISTEN, [f"/v1/sse?symbols={','.join(names)}", _EVENTS])
        await follows(tab, stream, await stage.published(5))

        await stage.kill()
        await stage.published(5)
        await stage.come_back()
        await follows(tab, stream, await stage.published(5))

        assert stream.counts["open"] == 2
        whole(stream.checker, dict.fromkeys(names, 0))


async def follows(tab: Page, stream: EventStream, marks: dict[str, tuple[int, int]]) -> None:
    """Give *stream* what the page's EventSource reads, until it has all up to *marks*."""
    end = asyncio.get_running_loop().time() + SOON_S
    while any((stream.checker.cursor(name) or (0, 0)) < marks[name] for name in stream.symbols):
        state, events = await tab.evaluate("[source.readyState, events.splice(0)]")
        assert state != _CLOSED, f"it gave up; {dict(stream.counts)}"
        assert asyncio.get_running_loop().time() < end, f"{dict(stream.counts)}, {stream.checker.violations[:3]}"
        for name, data, identity in events:
            _take(stream, name, data.encode())
            stream.last_event_id = identity or stream.last_event_id


def _take(stream: EventStream, name: str, data: bytes) -> None:
    if name == "open":
        stream.counts[name] += 1
        stream.begin(stream.last_event_id, {})
    else:
        stream.dispatch(name, data)
