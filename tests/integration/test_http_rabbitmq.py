"""The HTTP wire of real processes on a real RabbitMQ: pages against what the producer published."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import orjson
import pytest

from tests.eventually import eventually
from tests.paging import Pages
from tests.stack import Stack, Tickwire
from tests.streamclient import StreamClient
from tests.witness import LastMarks, Record

RATE: Final = 1_000
SEED: Final = 7
FOLLOWED: Final = "NVDA"
"""Somebody follows it on the first gateway, so its pages come from its tape there, and from history elsewhere."""
SYMBOLS: Final = (FOLLOWED, "AAPL", "TSLA")
FREE: Final = {"HTTP_RATE": 100_000, "HTTP_BURST": 1_000_000, "REPLAY_TICKS": 10_000_000}

pytestmark = pytest.mark.timeout(240)


async def get(stack: Stack, gateway: Tickwire, path: str) -> tuple[int, bytes]:
    """Return status and body."""
    async with stack.http.get(f"http://127.0.0.1:{gateway.port}{path}") as answer:
        return answer.status, await answer.read()


async def read_on(stack: Stack, gateway: Tickwire, pages: Pages, limit: int) -> int:
    """Take the next page at *gateway*; return how many ticks it has."""
    after = "" if pages.after is None else f"&after={pages.after}"
    status, body = await get(stack, gateway, f"/v1/ticks/{pages.symbol}?limit={limit}{after}")
    assert status == 200, body
    return pages.take(body)


async def read_to(stack: Stack, gateway: Tickwire, pages: Pages, last: tuple[int, int]) -> None:
    """Take pages until *last* is there, within 30 s."""
    async with asyncio.timeout(30):
        while max(pages.ticks, default=(0, 0)) < last:
            if not await read_on(stack, gateway, pages, 40):
                await asyncio.sleep(0.05)  # as a client that has caught up does


async def answered(stack: Stack, gateway: Tickwire) -> None:
    """Return once history answers *gateway*."""
    async with asyncio.timeout(30):
        while (await get(stack, gateway, "/v1/candles/AAPL"))[0] != 200:  # noqa: ASYNC110 - over HTTP, no event
            await asyncio.sleep(0.1)


async def stopped(stack: Stack, producer: Tickwire, record: Record) -> None:
    """End *producer*, and return once *record* has all that it published: it may be behind."""
    async with LastMarks(stack.broker_url) as marks:
        await producer.stop()
        last = await marks.read()
    await eventually(lambda: all(record.last[symbol] == last[symbol] for symbol in SYMBOLS), deadline=60)


def judge(pages: Pages, record: Record) -> None:
    """What the pages brought must be every tick published after their first, with the bytes' own values."""
    published = record.lines[pages.symbol]
    first = min(pages.ticks)
    assert pages.ticks.keys() == {place for place in published if place >= first}
    for place, tick in pages.ticks.items():
        assert tick == {"epoch": place[0], **orjson.loads(published[place])}
    assert pages.gaps == []


@pytest.mark.slow
async def test_pages_are_what_the_producer_published(stack: Stack) -> None:
    """Pages read at two gateways in turn, through a new run of the producer, have each tick once and no hole."""
    async with Record(stack.broker_url) as record:
        await stack.start("history", {})
        producer = await stack.producer(RATE=RATE, SEED=SEED)
        first, second = await stack.gateway(**FREE), await stack.gateway(**FREE)
        await first.ready()
        await second.ready()
        await answered(stack, first)
        await answered(stack, second)
        async with StreamClient(stack.http) as client:
            await client.connect(first.stream)
            await client.subscribe(FOLLOWED)
            every = [Pages(symbol) for symbol in SYMBOLS]
            for turn in range(30):
                for pages in every:
                    await read_on(stack, (first, second)[turn % 2], pages, 1 + turn)
            await stopped(stack, producer, record)
            before = dict(record.last)
            producer = await stack.producer(RATE=RATE, SEED=SEED)
            await eventually(lambda: all(record.last[s][0] > before[s][0] for s in SYMBOLS), deadline=20)
            await eventually(lambda: all(record.last[s][1] > 20 for s in SYMBOLS), deadline=20)
            await stopped(stack, producer, record)
            await eventually(lambda: client.checker.cursor(FOLLOWED) == record.last[FOLLOWED], deadline=20)
            for pages, gateway in zip(every, (first, second, first), strict=True):
                await read_to(stack, gateway, pages, record.last[pages.symbol])
                judge(pages, record)
                assert {epoch for epoch, _ in pages.ticks} == {
                    before[pages.symbol][0],
                    record.last[pages.symbol][0],
                }
            client.checker.check()


@pytest.mark.slow
async def test_what_history_has_forgotten(stack: Stack) -> None:
    """Whoever asks for all that there is is told what there is no more, and gets the rest without a hole."""
    async with Record(stack.broker_url) as record:
        await stack.start("history", {"RING_TICKS": 30})
        producer = await stack.producer(RATE=RATE, SEED=SEED)
        gateway = await stack.gateway(**FREE)
        await gateway.ready()
        await answered(stack, gateway)
        await eventually(lambda: record.last[FOLLOWED][1] > 90, deadline=20)
        await stopped(stack, producer, record)
        epoch, last = record.last[FOLLOWED]
        pages = Pages(FOLLOWED, f"{epoch}-5")
        await read_to(stack, gateway, pages, (epoch, last))
        assert pages.gaps == [{"epoch": epoch, "from": 6, "to": last - 30, "reason": "forgotten"}]
        assert sorted(pages.ticks) == [(epoch, seq) for seq in range(last - 29, last + 1)]


@pytest.mark.slow
async def test_history_that_dies(stack: Stack) -> None:
    """Without history what is not followed here is 503; once it is back pages go on where they ended."""
    async with Record(stack.broker_url) as record:
        history = await stack.start("history", {})
        producer = await stack.producer(RATE=RATE, SEED=SEED)
        gateway = await stack.gateway(**FREE)
        await gateway.ready()
        await answered(stack, gateway)
        pages = Pages("AAPL")
        await read_on(stack, gateway, pages, 5)
        await history.stop()
        status, body = await get(stack, gateway, f"/v1/ticks/AAPL?after={pages.after}")
        problem: dict[str, Any] = orjson.loads(body)
        assert (status, problem["code"], problem["retry_after_s"]) == (503, "history_unavailable", 1)
        await stack.start("history", {})
        await answered(stack, gateway)
        await stopped(stack, producer, record)
        await read_to(stack, gateway, pages, record.last["AAPL"])
        judge(pages, record)


async def test_quotes_and_candles(stack: Stack) -> None:
    """Quotes are the last ticks published, and candles count what was traded in them."""
    async with Record(stack.broker_url) as record:
        await stack.start("history", {})
        producer = await stack.producer(RATE=RATE, SEED=SEED)
        gateway = await stack.gateway(**FREE)
        await gateway.ready()
        await answered(stack, gateway)
        await eventually(lambda: all(record.last.get(s, (0, 0))[1] > 50 for s in SYMBOLS), deadline=30)
        await stopped(stack, producer, record)
        path = f"/v1/quotes?symbols={','.join(SYMBOLS)}"
        quotes: dict[str, Any] = {}
        async with asyncio.timeout(30):
            while any(quotes.get(s, {"tick": {"seq": 0}})["tick"]["seq"] < record.last[s][1] for s in SYMBOLS):
                quotes = orjson.loads((await get(stack, gateway, path))[1])["quotes"]
        for symbol in SYMBOLS:
            epoch, seq = record.last[symbol]
            ticks = [orjson.loads(record.lines[symbol][place]) for place in sorted(record.lines[symbol])]
            quote = quotes[symbol]
            assert (quote["epoch"], quote["tick"]) == (epoch, ticks[-1])
            assert (quote["day"]["epoch"], quote["day"]["seq"]) == (epoch, seq)
            assert quote["day"]["high"] == max(tick["price"] for tick in ticks if tick["size"])
            assert quote["day"]["volume"] == ticks[-1]["volume"]
            status, body = await get(stack, gateway, f"/v1/candles/{symbol}?interval=1s&limit=500")
            candles = orjson.loads(body)["candles"]
            assert status == 200
            assert sum(each["volume"] for each in candles) == sum(tick["size"] for tick in ticks)
            assert sum(each["trades"] for each in candles) == sum(tick["size"] > 0 for tick in ticks)
            assert max(each["high"] for each in candles) == quote["day"]["high"]
