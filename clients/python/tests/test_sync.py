"""The synchronous facade, against a real WebSocket server that speaks a script in another thread."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from http import HTTPStatus

import pytest

from scripted import DEADLINE, Peer, eventually, frame, gateway, snapshot, subscribed, tick, ticks, welcome
from test_candles import answer, candle, candles
from tickwire_client import (
    BadAddress,
    BadRequest,
    FeedClosed,
    Gap,
    NoTick,
    Position,
    Refused,
    Tick,
    TokenRefused,
    UnknownSymbol,
    Unreachable,
    WrongUse,
)
from tickwire_client.sync import Feed, Subscription, connect

SECRET = "s3cr3t"  # noqa: S105 - nobody else's


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "tickwire_client"]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """A feed that was left has taken its thread with it."""
    yield
    assert _threads() == []


async def _aapl(peer: Peer) -> None:
    """Serve AAPL from 5 on, as fast as anybody likes."""
    await peer.say(welcome())
    await peer.serve(snapshot(7, tick("AAPL", 5, "230.10")), AAPL=None)
    await peer.say(ticks(tick("AAPL", 6), tick("AAPL", 9, skipped=2)))
    await peer.gone()


async def _nobody(peer: Peer) -> None:
    raise NotImplementedError


async def test_for_loop() -> None:
    """Ticks come in a plain loop, and what is known stays known after the feed is closed."""

    def program(url: str) -> None:
        found: list[Tick] = []
        with connect(url) as feed:
            assert feed.connected
            assert feed.live
            for one in feed.subscribe("AAPL", timeout=DEADLINE):
                found.append(one)
                if one.seq == 9:
                    break
        assert [(one.seq, str(one.price), one.skipped) for one in found] == [
            (5, "230.10", 0),
            (6, "10.50", 0),
            (9, "10.50", 2),
        ]
        assert (feed.account("AAPL").delivered, feed.account("AAPL").skipped) == (3, 2)
        assert (feed.cursor("AAPL"), feed.violations) == (Position(7, 9), 0)
        assert not feed.connected

    async with gateway(_aapl) as url:
        await asyncio.to_thread(program, url)


async def test_timeout() -> None:
    """A quiet market raises `NoTick` after `timeout`, and the same subscription goes on without a loss."""
    more = threading.Event()

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.serve(snapshot(7, tick("AAPL", 5)), AAPL=None)
        await asyncio.to_thread(more.wait)
        await peer.say(ticks(tick("AAPL", 6)))
        await peer.gone()

    def program(url: str) -> None:
        with connect(url) as feed:
            quotes = feed.subscribe("AAPL", timeout=0.2)
            assert next(quotes).seq == 5
            with pytest.raises(NoTick, match=r"no tick of AAPL within 0\.2 s") as caught:
                next(quotes)
            assert isinstance(caught.value, TimeoutError)
            more.set()
            while True:
                try:
                    one = next(quotes)
                except NoTick:
                    continue
                break
            assert (one.seq, one.skipped) == (6, 0)

    async with gateway(script) as url:
        await asyncio.to_thread(program, url)


async def test_slow_loop_conflates() -> None:
    """A loop that does not come round gets the newest tick in the end, and the number of all before it."""
    total, buffer = 5000, 300

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.serve(snapshot(7, tick("AAPL", 1)), AAPL=None)
        for start in range(2, total, 100):
            await peer.say(ticks(*(tick("AAPL", seq) for seq in range(start, min(start + 100, total + 1)))))
        await peer.gone()

    def program(url: str) -> None:
        with connect(url) as feed, feed.subscribe("AAPL", buffer=buffer, timeout=DEADLINE) as slow:
            found = [next(slow)]
            until(lambda: (last := feed.last("AAPL")) and last.seq == total)
            while found[-1].seq < total:
                found.append(next(slow))
            assert slow.conflated > total // 2
            assert len(found) <= buffer + 100 + 256 + 1
            assert sum(1 + one.skipped for one in found) == total
            assert feed.account("AAPL").delivered == total

    async with gateway(script) as url:
        await asyncio.to_thread(program, url)


async def test_several_threads() -> None:
    """Threads share a feed, each with a subscription of its own; closing the feed ends all their loops."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.serve(snapshot(7, tick("AAPL", 5)), AAPL=None)
        await peer.gone()

    def program(url: str) -> None:
        found: list[int] = []

        def follow() -> None:
            for one in feed.subscribe("AAPL"):
                found.append(one.seq)  # noqa: PERF401 - seen by the other thread at once

        with connect(url) as feed:
            readers = [threading.Thread(target=follow) for _ in range(4)]
            for reader in readers:
                reader.start()
            until(lambda: len(found) == len(readers))
        for reader in readers:
            reader.join(DEADLINE)
            assert not reader.is_alive()
        assert found == [5, 5, 5, 5]

    async with gateway(script) as url:
        await asyncio.to_thread(program, url)


async def test_two_threads_on_one_subscription() -> None:
    """Two threads that iterate one subscription are told so, at once."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.serve(AAPL=None)
        await peer.gone()

    def program(url: str) -> None:
        with connect(url) as feed:
            quotes = feed.subscribe("AAPL")
            reader = threading.Thread(target=lambda: list(quotes))
            reader.start()
            until(lambda: quotes._reader)
            with pytest.raises(WrongUse, match="another thread iterates"):
                next(quotes)
            quotes.close()
            reader.join(DEADLINE)
            assert not reader.is_alive()

    async with gateway(script) as url:
        await asyncio.to_thread(program, url)


async def test_wrong_use() -> None:
    """Whatever is done too late, or twice, gets an error that says what to do."""

    def program(url: str) -> None:
        feed = connect(url)
        with feed.subscribe("AAPL") as quotes:
            next(quotes)
        with pytest.raises(WrongUse, match="subscribe again"):
            list(quotes)
        assert next(quotes, None) is None
        for bad in (0, -1.0):
            with pytest.raises(BadRequest, match="must be above 0 s"):
                feed.subscribe("AAPL", timeout=bad)
        with pytest.raises(BadRequest, match="is no symbol"):
            feed.subscribe("aapl")
        left = feed.subscribe("AAPL")
        feed.close()
        feed.close()
        assert list(left) in ([], [feed.last("AAPL")])
        with pytest.raises(FeedClosed, match="the feed is closed"):
            feed.subscribe("AAPL")
        with pytest.raises(FeedClosed):
            feed.record("AAPL", seconds=1)
        with pytest.raises(FeedClosed, match="connect again"), feed:
            pytest.fail("it is closed")

    async with gateway(_aapl) as url:
        await asyncio.to_thread(program, url)


async def test_callbacks() -> None:
    """A callback may ask the feed what it knows; one that waits on its own thread ends the feed with an error."""
    ready = threading.Event()

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.serve(snapshot(7, tick("AAPL", 5)), AAPL=None)
        await asyncio.to_thread(ready.wait)
        await peer.say(
            frame("gap", symbol="AAPL", epoch=7, first=6, last=8, reason="lost"), ticks(tick("AAPL", 9))
        )
        await peer.gone()

    def asks(url: str) -> None:
        known: list[object] = []
        with connect(url, on_gap=lambda gap: known.append((gap.first, feed.cursor(gap.symbol)))) as feed:
            quotes = feed.subscribe("AAPL", timeout=DEADLINE)
            ready.set()
            assert [next(quotes).seq, next(quotes).seq] == [5, 9]
        assert known == [(6, Position(7, 8))]

    def waits(url: str, wrong: Callable[[Feed, Subscription], object]) -> None:
        with connect(url, on_gap=lambda _: wrong(feed, quotes)) as feed:
            quotes = feed.subscribe("AAPL", timeout=DEADLINE)
            next(quotes)
            ready.set()
            with pytest.raises(WrongUse, match="a callback cannot"):
                next(quotes)

    async with gateway(script) as url:
        await asyncio.to_thread(asks, url)
        for wrong in (
            lambda _, quotes: next(quotes),
            lambda feed, _: feed.close(),
            lambda feed, _: feed.record("AAPL", ticks=1),
        ):
            ready.clear()
            await asyncio.to_thread(waits, url, wrong)


async def test_on_gap_of_a_subscription() -> None:
    """A subscription is told of its own symbols' gaps, and of no others."""
    both_listen = threading.Event()

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.serve(snapshot(7, tick("AAPL", 5), tick("MSFT", 5)), AAPL=None, MSFT=None)
        await asyncio.to_thread(both_listen.wait)
        for symbol in ("AAPL", "MSFT"):
            await peer.say(frame("gap", symbol=symbol, epoch=7, first=6, last=8, reason="lost"))
        await peer.say(ticks(tick("AAPL", 9)), ticks(tick("MSFT", 9)))
        await peer.gone()

    def program(url: str) -> None:
        gaps: list[Gap] = []
        with connect(url) as feed:
            both = feed.subscribe("AAPL", "MSFT", timeout=DEADLINE)
            msft = feed.subscribe("MSFT", timeout=DEADLINE, on_gap=gaps.append)
            assert [next(both).seq, next(both).seq, next(msft).seq] == [5, 5, 5]
            both_listen.set()
            assert [next(both).seq, next(both).seq, next(msft).seq] == [9, 9, 9]
        assert gaps == [Gap("MSFT", 7, 6, 8, "lost")]

    async with gateway(script) as url:
        await asyncio.to_thread(program, url)


async def test_forgotten() -> None:
    """A subscription, and a feed, that nobody holds any more end by themselves."""
    unsubscribed, gone = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.serve(snapshot(7, tick("AAPL", 5)), AAPL=None)
        await peer.command("unsubscribe")
        unsubscribed.set()
        await peer.gone()
        gone.set()

    def begin(url: str) -> object:
        feed = connect(url)
        for _ in feed.subscribe("AAPL", timeout=DEADLINE):
            break
        gc.collect()
        return feed

    async with gateway(script) as url:
        feed = await asyncio.to_thread(begin, url)
        await unsubscribed.wait()
        del feed
        gc.collect()
        await gone.wait()
        await eventually(lambda: not _threads())


async def test_a_loop_holds_its_feed() -> None:
    """A loop over the subscription of a feed that nobody else holds goes on."""

    def program(url: str) -> None:
        quotes = connect(url).subscribe("AAPL", timeout=DEADLINE)
        gc.collect()
        assert [next(quotes).seq for _ in range(3)] == [5, 6, 9]
        del quotes
        gc.collect()
        until(lambda: not _threads())

    async with gateway(_aapl) as url:
        await asyncio.to_thread(program, url)


async def test_candles() -> None:
    """Candles come in a plain loop, too, and as a frame of pandas."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        command = await peer.command()
        await peer.say(answer(command), candles(candle(1), candle(2), reset=True))
        await peer.say(candles(candle(2, "10.75", trades=4)))
        await peer.gone()

    def program(url: str) -> None:
        with connect(url) as feed, feed.candles("AAPL", timeout=DEADLINE) as updates:
            assert (updates.symbol, updates.interval) == ("AAPL", "1m")
            first = next(updates)
            closes = [float(first.candles[-1].close)]
            while closes[-1] != 10.75:
                closes.append(float(next(updates).candles[-1].close))
        frame = first.to_dataframe()
        assert str(frame["start"].dtype) == "datetime64[us, UTC]"
        assert (frame["open"].tolist(), str(frame["close"].dtype)) == ([10.1, 10.1], "float64")
        assert isinstance(first.to_dataframe(decimal=True)["high"][0], Decimal)

    async with gateway(script) as url:
        await asyncio.to_thread(program, url)


# ------------------------------------------------------------------------------------------------- errors


def test_unreachable() -> None:
    """A host where nobody listens is `Unreachable` within `timeout`, with the reason."""
    with pytest.raises(Unreachable, match=r"no gateway within 0\.3 s; .*Connect"):
        connect("ws://127.0.0.1:1/v1/stream", timeout=0.3)


@pytest.mark.parametrize("url", ["ftp://host/v1/stream", "ws://", "ws://two words/"])
def test_bad_address(url: str) -> None:
    """What is no address is `BadAddress`, at once."""
    with pytest.raises(BadAddress):
        connect(url)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (HTTPStatus.UNAUTHORIZED, TokenRefused),
        (HTTPStatus.FORBIDDEN, Refused),
        (HTTPStatus.NOT_FOUND, Refused),
        (HTTPStatus.OK, Refused),
    ],
)
async def test_refused(status: HTTPStatus, kind: type[Refused]) -> None:
    """A refused token, and an address where no gateway is, raise once, after one attempt."""
    attempts: list[str] = []

    def program(url: str) -> None:
        with pytest.raises(Refused, match=f"HTTP {status.value}") as caught:
            connect(url, token=SECRET, on_attempt=attempts.append)
        assert (type(caught.value), caught.value.status) == (kind, status)
        assert SECRET not in str(caught.value)

    async with gateway(_nobody, refuse=status) as url:
        await asyncio.to_thread(program, url)
        assert attempts == [url]


async def test_refused_while_streaming() -> None:
    """A close that says `fix this first` is raised by the loop, once; then the loop is over."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.serve(snapshot(7, tick("AAPL", 5)), AAPL=None)
        await peer.socket.close(4501, "token refused")

    def program(url: str) -> None:
        with connect(url, token=SECRET) as feed:
            quotes = feed.subscribe("AAPL", timeout=DEADLINE)
            assert next(quotes).seq == 5
            with pytest.raises(TokenRefused, match="4501: token refused"):
                next(quotes)
            assert list(quotes) == []
            with pytest.raises(TokenRefused):
                feed.subscribe("AAPL")

    async with gateway(script) as url:
        await asyncio.to_thread(program, url)


async def test_unknown_symbol() -> None:
    """An unknown symbol is raised by its own loop."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        command = await peer.command()
        await peer.say(subscribed(command["id"], {"ZZZZ": "unknown_symbol"}))
        await peer.gone()

    def program(url: str) -> None:
        with connect(url) as feed, pytest.raises(UnknownSymbol, match="ZZZZ: unknown symbol"):
            next(feed.subscribe("ZZZZ", timeout=DEADLINE))

    async with gateway(script) as url:
        await asyncio.to_thread(program, url)


async def test_token_that_takes_its_time() -> None:
    """A plain function that waits for its issuer does not hold up the ticks."""
    asked, answer, renewed = threading.Event(), threading.Event(), threading.Event()

    async def script(peer: Peer) -> None:
        assert peer.headers["Authorization"] == "Bearer one"
        await peer.say(welcome(auth="ok"))
        await peer.serve(snapshot(7, tick("AAPL", 5)), AAPL=None)
        await peer.say(frame("authorized", expires=1, limits={}))
        await asyncio.to_thread(asked.wait)
        await peer.say(ticks(tick("AAPL", 6)))
        assert (await peer.command("auth"))["token"] == "two"  # noqa: S105 - made up
        renewed.set()
        await peer.gone()

    tokens = iter(["one", "two"])

    def token() -> str:
        found = next(tokens)
        if found == "two":
            asked.set()
            assert answer.wait(DEADLINE)
        return found

    def program(url: str) -> None:
        with connect(url, token=token) as feed:
            quotes = feed.subscribe("AAPL", timeout=DEADLINE)
            assert [next(quotes).seq, next(quotes).seq] == [5, 6]
            answer.set()
            assert renewed.wait(DEADLINE)

    async with gateway(script) as url:
        await asyncio.to_thread(program, url)


# ------------------------------------------------------------------------------------------------- other processes

INTERRUPTED = """
import sys, threading
from tickwire_client.sync import connect

seen = []
try:
    with connect(sys.argv[1]) as feed:
        quotes = feed.subscribe("AAPL")
        try:
            for tick in quotes:
                seen.append(tick.seq)
                print(tick.seq, flush=True)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        seen.append(next(quotes).seq)
        print(seen[-1], flush=True)
        next(quotes)
except KeyboardInterrupt:
    print("left with", threading.active_count(), "thread", flush=True)
"""
NOTEBOOK = """
import asyncio, sys
from tickwire_client.sync import connect

async def cell():
    with connect(sys.argv[1]) as feed:
        quotes = feed.subscribe("AAPL", timeout=20)
        return [next(quotes).seq for _ in range(3)]

print(asyncio.run(cell()))
"""
UNCLOSED = """
import sys
from tickwire_client.sync import connect

feed = connect(sys.argv[1])
print(next(feed.subscribe("AAPL", timeout=20)).seq, flush=True)
"""

CONNECTING = """
import sys
from tickwire_client.sync import connect

connect(sys.argv[1], timeout=None, on_attempt=lambda url: print(url, flush=True))
"""


async def _run(program: str, url: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-c", program, url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def test_interrupted() -> None:
    """Ctrl-C leaves a loop without a loss, and the second one leaves the feed without a thread."""
    more = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.serve(snapshot(7, tick("AAPL", 5)), AAPL=None)
        await more.wait()
        await peer.say(ticks(tick("AAPL", 6)))
        await peer.gone()

    async with gateway(script) as url:
        process = await _run(INTERRUPTED, url)
        assert process.stdout is not None
        try:
            for expected in (b"5\n", b"interrupted\n", b"6\n"):
                assert await process.stdout.readline() == expected
                if expected == b"interrupted\n":
                    more.set()
                else:
                    process.send_signal(signal.SIGINT)
            assert await process.stdout.read() == b"left with 1 thread\n"
            assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def test_interrupted_while_connecting() -> None:
    """Ctrl-C while nobody listens ends the program at once."""
    process = await _run(CONNECTING, "127.0.0.1:1")
    assert process.stdout is not None
    await process.stdout.readline()
    process.send_signal(signal.SIGINT)
    output = await process.stdout.read()
    assert await process.wait() == -signal.SIGINT
    assert output.rstrip().endswith(b"KeyboardInterrupt")


async def test_within_a_running_loop() -> None:
    """Within a running event loop, as in a cell of Jupyter, the loop over ticks works all the same."""
    async with gateway(_aapl) as url:
        process = await _run(NOTEBOOK, url)
        output, _ = await process.communicate()

    assert (output, process.returncode) == (b"[5, 6, 9]\n", 0)


async def test_never_closed() -> None:
    """A program that forgets to close its feed ends all the same."""
    async with gateway(_aapl) as url:
        process = await _run(UNCLOSED, url)
        output, _ = await process.communicate()

    assert (output, process.returncode) == (b"5\n", 0)


def test_pandas_is_imported_late() -> None:
    """Importing the client, synchronous or not, imports no pandas."""
    text = "import sys, tickwire_client.sync; sys.exit('pandas' in sys.modules or 'numpy' in sys.modules)"
    assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", text]) == 0  # noqa: S606


def until(predicate: Callable[[], object]) -> None:
    """Return as soon as *predicate* is true; it is asked every 5 ms."""
    end = time.monotonic() + DEADLINE
    while not predicate():
        assert time.monotonic() < end, f"not true within {DEADLINE} s"
        time.sleep(0.005)
