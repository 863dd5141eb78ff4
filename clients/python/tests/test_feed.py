"""The feed, against a real WebSocket server that speaks a script."""

from __future__ import annotations

import asyncio
import gc
import json
import ssl
from http import HTTPStatus
from time import time_ns

import pytest
import trustme

from scripted import Peer, eventually, frame, gateway, snapshot, subscribed, tick, ticks, welcome
from tickwire_client import (
    BadAddress,
    BadRequest,
    EpochChange,
    Gap,
    Position,
    Refused,
    SessionChange,
    Status,
    Subscription,
    Tick,
    TickwireClientError,
    TooManySymbols,
    UnknownSymbol,
    Unreachable,
    connect,
)


async def _take(subscription: Subscription, count: int) -> list[Tick]:
    return [await anext(subscription) for _ in range(count)]


def _at(found: list[Tick]) -> list[tuple[str, int, int]]:
    return [(one.symbol, one.epoch, one.seq) for one in found]


async def test_snapshot_then_ticks() -> None:
    """A subscription begins with the newest tick and goes on with each one, prices as the wire spells them."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        command = await peer.serve(snapshot(7, tick("AAPL", 3)), AAPL=None)
        assert command == {"op": "subscribe", "id": command["id"], "symbols": ["AAPL"], "max_rate": 5}
        await peer.say(ticks(tick("AAPL", 4, "230.10"), tick("AAPL", 7, skipped=2)))
        await peer.gone()

    async with gateway(script) as url, connect(url) as feed:
        first, second, third = await _take(feed.subscribe("AAPL", max_rate=5), 3)

        assert (first.snapshot, first.skipped, second.snapshot, third.skipped) == (True, 0, False, 2)
        assert (str(second.price), str(second.bid), second.position) == ("230.10", "9.90", Position(7, 4))
        account = feed.account("AAPL")
        assert (account.delivered, account.skipped, account.missing) == (3, 2, {})


async def test_cancelled_while_it_leaves() -> None:
    """Whoever is cancelled while the feed takes leave of a gateway that does not answer is cancelled."""
    deaf, left, over = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        peer.socket.transport.pause_reading()
        deaf.set()
        await over.wait()
        peer.socket.transport.abort()

    async def visit(url: str) -> None:
        async with connect(url):
            await deaf.wait()
            left.set()

    async with gateway(script) as url:
        visiting = asyncio.create_task(visit(url))
        await left.wait()
        visiting.cancel()
        await asyncio.wait([visiting])
        over.set()

    assert visiting.cancelled()


async def test_comes_back_and_resumes() -> None:
    """After a restart the feed comes back, by itself and from its cursor, and the iterator just goes on."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        if peer.number == 1:
            command = await peer.serve(snapshot(7, tick("AAPL", 5)), AAPL=None)
            assert "resume" not in command
            await peer.say(frame("reconnect", in_ms=1, reason="restart"))
            await peer.socket.close(1012)
        else:
            command = await peer.serve(ticks(tick("AAPL", 6)), AAPL=(7, 5))
            assert command["resume"] == {"AAPL": {"epoch": 7, "seq": 5}}
            await peer.gone()

    said: list[Status] = []
    async with gateway(script) as url, connect(url, on_status=said.append) as feed:
        assert _at(await _take(feed.subscribe("AAPL"), 2)) == [("AAPL", 7, 5), ("AAPL", 7, 6)]

    assert [one.feed for one in said] == ["connected", "disconnected", "connected"]
    assert said[1].reason == "closed with 1012"


async def test_leaves_in_order() -> None:
    """Whoever leaves closes with 1000, not as if something had failed."""
    codes: list[int | None] = []

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.serve(snapshot(7, tick("AAPL", 5)), AAPL=None)
        await peer.gone()
        codes.append(peer.socket.close_code)

    async with gateway(script) as url:
        async with connect(url) as feed:
            await _take(feed.subscribe("AAPL"), 1)
        await eventually(lambda: codes)

    assert codes == [1000]


async def test_another_gateway() -> None:
    """Of several addresses the next one is tried; one that refuses is left out."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.serve(snapshot(7, tick("AAPL", 5)), AAPL=None)
        await peer.gone()

    async with (
        gateway(script, refuse=HTTPStatus.FORBIDDEN) as shut,
        gateway(script) as url,
        connect([shut, url]) as feed,
    ):
        assert _at(await _take(feed.subscribe("AAPL"), 1)) == [("AAPL", 7, 5)]


async def test_nobody_listens_at_first() -> None:
    """A gateway that is not there yet is tried again."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.gone()

    async with gateway(script) as url:
        port = int(url.split(":")[2].split("/")[0])
    said: list[Status] = []
    later = asyncio.Event()

    def tell(status: Status) -> None:
        said.append(status)
        later.set()

    async def attend() -> None:
        async with connect(url, on_status=tell) as feed:
            assert feed.live

    attending = asyncio.create_task(attend())
    await later.wait()
    async with gateway(script, port=port):
        await attending

    assert said[0].feed == "disconnected"
    assert said[-1].feed == "connected"


async def test_unreachable() -> None:
    """Without a gateway in time, entering fails with an error that says why."""

    async def script(peer: Peer) -> None:
        raise NotImplementedError

    async with gateway(script) as url:
        pass
    with pytest.raises(Unreachable, match=r"no gateway within 0\.3 s"):
        async with connect(url, timeout=0.3):
            pytest.fail("nobody is there")


@pytest.mark.parametrize(
    "status", [HTTPStatus.FOUND, HTTPStatus.NOT_FOUND, HTTPStatus.UNAUTHORIZED, HTTPStatus.BAD_REQUEST]
)
async def test_http_refusal(status: HTTPStatus) -> None:
    """An address that answers with a client error is refused at once, with the status."""

    async def script(peer: Peer) -> None:
        raise NotImplementedError

    async with gateway(script, refuse=status) as url:
        with pytest.raises(Refused, match=f"HTTP {status.value}") as caught:
            async with connect(url):
                pytest.fail("nobody is there")

    assert caught.value.status == status


async def test_http_overloaded() -> None:
    """HTTP 503 and 429 are waited out."""
    for status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):

        async def script(peer: Peer) -> None:
            raise NotImplementedError

        async with gateway(script, refuse=status) as url:
            with pytest.raises(Unreachable, match=f"HTTP {status.value}"):
                async with connect(url, timeout=0.5):
                    pytest.fail("nobody is there")


async def test_bad_address() -> None:
    """An address that is none is refused at once."""
    with pytest.raises(BadAddress, match="no address"):
        async with connect("localhost:eighty"):
            pytest.fail("this is no address")


async def test_tls() -> None:
    """A certificate that is trusted serves; one that is not is refused at once."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.gone()

    authority = trustme.CA()
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    authority.configure_trust(ours)
    async with gateway(script, tls=theirs) as url:
        async with connect(url, ssl=ours) as feed:
            assert feed.connected
        with pytest.raises(Refused, match="CERTIFICATE_VERIFY_FAILED"):
            async with connect(url):
                pytest.fail("nobody vouches for it")


async def test_not_a_gateway() -> None:
    """A server that speaks something else is refused with what was wrong."""

    async def script(peer: Peer) -> None:
        await peer.say("hello")
        await peer.gone()

    async with gateway(script) as url:
        with pytest.raises(Refused, match=r"does not speak tickwire\.v1"):
            async with connect(url):
                pytest.fail("this is no gateway")


async def test_refused_while_streaming() -> None:
    """A close code that says `fix this first` ends every iterator with the same error, after what had come."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.serve(snapshot(7, tick("AAPL", 5), tick("MSFT", 2)), AAPL=None, MSFT=None)
        await peer.socket.close(4503, "forbidden")

    async with gateway(script) as url, connect(url) as feed:
        one, two = feed.subscribe("AAPL"), feed.subscribe("MSFT")
        assert _at(await _take(one, 1) + await _take(two, 1)) == [("AAPL", 7, 5), ("MSFT", 7, 2)]
        for subscription in (one, two):
            with pytest.raises(Refused, match="closed with 4503: forbidden") as caught:
                await anext(subscription)
            assert caught.value.code == 4503
            with pytest.raises(StopAsyncIteration):
                await anext(subscription)
        with pytest.raises(Refused):
            feed.subscribe("AAPL")


async def test_unknown_symbol() -> None:
    """An unknown symbol ends its own subscription, with its name, and no other one."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        command = await peer.command()
        await peer.say(subscribed(command["id"], {"ZZZZ": "unknown_symbol"}, AAPL=None))
        await peer.say(snapshot(7, tick("AAPL", 5)))
        await peer.gone()

    async with gateway(script) as url, connect(url) as feed:
        good, bad = feed.subscribe("AAPL"), feed.subscribe("ZZZZ")
        with pytest.raises(UnknownSymbol, match="ZZZZ: unknown symbol") as caught:
            await anext(bad)
        assert caught.value.symbols == ("ZZZZ",)
        assert _at(await _take(good, 1)) == [("AAPL", 7, 5)]


async def test_too_many_symbols() -> None:
    """What goes beyond the gateway's limit ends its own subscription; what fits is served."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome(limits={"symbols": 1}))
        await peer.serve(snapshot(7, tick("AAPL", 5)), AAPL=None)
        await peer.gone()

    async with gateway(script) as url, connect(url) as feed:
        good = feed.subscribe("AAPL")
        await anext(good)
        with pytest.raises(TooManySymbols, match="MSFT"):
            await anext(feed.subscribe("MSFT"))


@pytest.mark.parametrize(
    ("symbols", "options"),
    [
        ((), {}),
        (("aapl",), {}),
        (("*", "AAPL"), {}),
        (("A",), {"max_rate": 0.01}),
        (("A",), {"resume": {"B": (1, 1)}}),
    ],
)
async def test_bad_requests(symbols: tuple[str, ...], options: dict[str, object]) -> None:
    """What no gateway would accept is refused where it is said, and nothing is sent."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.gone()

    async with gateway(script) as url, connect(url) as feed:
        with pytest.raises(BadRequest):
            feed.subscribe(*symbols, **options)  # type: ignore[arg-type] # a table


async def test_gap_and_epoch() -> None:
    """A gap and an epoch are told before the ticks after them, and counted."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.serve(snapshot(7, tick("AAPL", 5)), AAPL=None)
        await peer.say(
            frame("gap", symbol="AAPL", epoch=7, first=6, last=8, reason="lost"),
            frame("epoch", symbol="AAPL", epoch=9),
            frame("session", symbol="AAPL", state="halted", reason=None, since=1),
            ticks(tick("AAPL", 1)),
        )
        await peer.gone()

    told: list[object] = []
    async with (
        gateway(script) as url,
        connect(url, on_gap=told.append, on_epoch=told.append, on_session=told.append) as feed,
    ):
        assert _at(await _take(feed.subscribe("AAPL"), 2)) == [("AAPL", 7, 5), ("AAPL", 9, 1)]
        assert told == [
            Gap("AAPL", 7, 6, 8, "lost"),
            EpochChange("AAPL", 9),
            SessionChange("AAPL", "halted", None, 1),
        ]
        assert told[0].final  # type: ignore[attr-defined] # a gap
        assert feed.account("AAPL").missing == {"lost": 3}


async def test_two_on_one_symbol() -> None:
    """Two subscriptions of a symbol share it on the wire; the later one begins with the newest tick."""
    more = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.serve(snapshot(7, tick("AAPL", 5)), AAPL=None)
        await more.wait()
        await peer.say(ticks(tick("AAPL", 6)))
        assert (await peer.command("unsubscribe"))["symbols"] == ["AAPL"]
        await peer.gone()

    async with gateway(script) as url, connect(url) as feed:
        one = feed.subscribe("AAPL")
        await anext(one)
        two = feed.subscribe("AAPL")
        late = await anext(two)
        assert (late.seq, late.snapshot) == (5, True)
        more.set()
        assert _at(await _take(one, 1)) == _at(await _take(two, 1)) == [("AAPL", 7, 6)]
        await one.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(one)
        await two.aclose()


async def test_forgotten_subscription_ends() -> None:
    """A subscription that nobody holds any more is unsubscribed, as after a break out of its loop."""
    unsubscribed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.serve(snapshot(7, tick("AAPL", 5)), AAPL=None)
        await peer.command("unsubscribe")
        unsubscribed.set()
        await peer.gone()

    async with gateway(script) as url, connect(url) as feed:
        async for _ in feed.subscribe("AAPL"):
            break
        gc.collect()
        await unsubscribed.wait()


async def test_slow_reader_loses_nothing_silently() -> None:
    """A reader that does not read gets the newest tick in the end, and the number of all those before it."""
    total = 5000

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.serve(snapshot(7, tick("AAPL", 1)), AAPL=None)
        for start in range(2, total, 100):
            await peer.say(ticks(*(tick("AAPL", seq) for seq in range(start, min(start + 100, total + 1)))))
        await peer.say(snapshot(7, tick("MSFT", 1)))
        await peer.gone()

    async with gateway(script) as url, connect(url) as feed:
        slow = feed.subscribe("AAPL", buffer=300)
        await eventually(lambda: (last := feed.last("AAPL")) and last.seq == total)
        found: list[Tick] = []
        while not found or found[-1].seq < total:
            found.append(await anext(slow))

        assert slow.conflated > total // 2
        assert len(found) <= 300 + 100 + 1
        assert sum(1 + one.skipped for one in found) == total
        assert feed.account("AAPL").delivered == total


async def test_reader_that_keeps_reading() -> None:
    """A reader that goes on reading gets every tick of a burst that is larger than its buffer."""
    total = 5000

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.serve(snapshot(7, tick("AAPL", 1)), AAPL=None)
        for start in range(2, total, 100):
            await peer.say(ticks(*(tick("AAPL", seq) for seq in range(start, min(start + 100, total + 1)))))
        await peer.gone()

    async with gateway(script) as url, connect(url) as feed, feed.subscribe("AAPL", buffer=300) as reader:
        found = 0
        async for one in reader:
            found += 1
            await asyncio.sleep(0)
            if one.seq == total:
                break

    assert (found, reader.conflated) == (total, 0)


async def test_two_rates() -> None:
    """A slower subscription is thinned out here, beside one that gets every tick; the gateway is asked for all."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        command = await peer.serve(snapshot(7, tick("AAPL", 1)), AAPL=None)
        assert "max_rate" not in command
        await peer.say(ticks(*(tick("AAPL", seq) for seq in range(2, 10))))
        await peer.gone()

    async with gateway(script) as url, connect(url) as feed:
        fast, slow = feed.subscribe("AAPL"), feed.subscribe("AAPL", max_rate=10)
        assert [one.seq for one in await _take(fast, 9)] == list(range(1, 10))
        assert [(one.seq, one.skipped) for one in await _take(slow, 2)] == [(1, 0), (9, 7)]
        assert slow.conflated == 7


async def test_silence() -> None:
    """A connection on which nothing comes counts as dead."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        if peer.number == 1:
            await peer.serve(snapshot(7, tick("AAPL", 1)), AAPL=None)
            await peer.gone()  # not even a pong comes
            return
        await peer.serve(ticks(tick("AAPL", 2)), AAPL=(7, 1))
        await peer.gone()

    said: list[Status] = []
    async with gateway(script) as url, connect(url, silence_s=0.5, on_status=said.append) as feed:
        assert _at(await _take(feed.subscribe("AAPL"), 2)) == [("AAPL", 7, 1), ("AAPL", 7, 2)]

    assert said[1].reason == "nothing came for 0.5 s"


async def test_clock() -> None:
    """Pings measure how far the gateway's clock is ahead, and latencies are corrected by it."""
    ahead = 3_600_000_000

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        command = json.loads(await peer.socket.recv())
        assert command["op"] == "ping"
        await peer.say(frame("pong", id=command["id"], server_time=time_ns() // 1000 + ahead))
        command = await peer.command()
        now = time_ns() // 1000 + ahead
        await peer.say(subscribed(command["id"], {}, AAPL=None))
        await peer.say(snapshot(7, tick("AAPL", 1).replace('"ts":1000000', f'"ts":{now}')))
        await peer.gone()

    async with gateway(script) as url, connect(url) as feed:
        await eventually(lambda: feed.clock.offset_us)
        first = await anext(feed.subscribe("AAPL"))

        assert feed.clock.offset_us == pytest.approx(ahead, abs=2_000_000)
        assert feed.clock.rtt_us is not None
        assert -2 < first.latency < 10


async def test_day() -> None:
    """The day's figures come with their own frame and follow the trades."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.serve(snapshot(7, tick("AAPL", 5, "10.50", volume=100)), AAPL=None)
        figures = {"previous_close": 10.0, "open": 10.2, "high": 10.6, "low": 10.1, "volume": 100}
        await peer.say(
            frame("day", data={"AAPL": {**figures, "epoch": 7, "seq": 5}}), frame("fireworks", colour="red")
        )
        await peer.say(ticks(tick("AAPL", 6, "10.70", volume=110), tick("AAPL", 7, "9.00", size=0, volume=110)))
        await peer.gone()

    async with gateway(script) as url, connect(url) as feed:
        assert feed.day("AAPL") is None
        await _take(feed.subscribe("AAPL"), 3)
        day = feed.day("AAPL")

        assert day is not None
        assert (str(day.high), str(day.low), day.volume, str(day.last)) == ("10.70", "10.1", 110, "9.00")
        assert (str(day.change), str(day.change_percent)) == ("-1.00", "-10.00")


async def test_status() -> None:
    """A stale shard makes the feed stale until it is live again."""
    proceed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.say(welcome(), frame("status", feed="stale", since=1, shard="main"))
        await proceed.wait()
        await peer.say(frame("status", feed="live", since=2, shard="main"))
        await peer.gone()

    said: asyncio.Queue[Status] = asyncio.Queue()
    async with gateway(script) as url, connect(url, on_status=said.put_nowait) as feed:
        assert (await said.get()).feed == "connected"
        assert await said.get() == Status("stale", "main", 1)
        stale = feed.live
        proceed.set()
        assert await said.get() == Status("live", "main", 2)
        assert (stale, feed.live) == (False, True)
        assert feed.status == {"main": Status("live", "main", 2)}


async def test_recorder_that_raises() -> None:
    """What raises where commands are sent ends the feed as well."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.gone()

    def broken(_: str) -> None:
        raise ZeroDivisionError

    async with gateway(script) as url, connect(url, on_command=broken) as feed:
        with pytest.raises(TickwireClientError, match="ZeroDivisionError"):
            await anext(feed.subscribe("AAPL"))


async def test_callback_that_raises() -> None:
    """What a callback raises ends the feed: no iterator waits for ever, and the cause is kept."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.serve(snapshot(7, tick("AAPL", 5)), AAPL=None)
        await peer.say(frame("epoch", symbol="AAPL", epoch=9))
        await peer.gone()

    def broken(_: EpochChange) -> None:
        raise ZeroDivisionError

    async with gateway(script) as url, connect(url, on_epoch=broken) as feed:
        subscription = feed.subscribe("AAPL")
        await anext(subscription)
        with pytest.raises(TickwireClientError, match="ZeroDivisionError") as caught:
            await anext(subscription)
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
