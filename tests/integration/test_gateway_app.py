"""A whole gateway in this process: the real feed over the in-memory broker, real sockets, a checker on top."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import aiohttp
import pytest
import uvloop
from prometheus_client import CollectorRegistry

from gateway import app
from gateway.settings import GatewaySettings
from gateway.wires.pages import INDEX, read_pages
from producer import app as producer
from producer.settings import ProducerSettings
from producer.sources.universe import load
from services.broker.memory import MemoryBroker
from services.errors import CannotListen
from services.runtime.clock import SystemClock
from services.runtime.lifecycle import root_cause
from tests.checker import Checker
from tests.eventually import eventually
from tests.streamclient import StreamClient

SYMBOLS = frozenset(str(listing.symbol) for listing in load(None))
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


class Stack:
    """A broker, perhaps a producer, and a gateway."""

    def __init__(self) -> None:
        self.broker = MemoryBroker(clock=SystemClock())
        self.stop = asyncio.Event()
        self.port = self.ops_port = 0
        self.running: asyncio.Task[None]

    def started(self, port: int, ops_port: int) -> None:
        """Note the ports."""
        self.port, self.ops_port = port, ops_port

    @property
    def stream(self) -> str:
        """Where clients connect."""
        return f"ws://127.0.0.1:{self.port}/v1/stream"

    async def operations(self, path: str) -> tuple[int, str]:
        """Return status and text of an operations page."""
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{self.ops_port}{path}") as answer:
            return answer.status, await answer.text()

    async def shows(self, path: str, text: str, *, deadline: float = 20.0) -> None:
        """Return once an operations page shows *text*."""
        async with asyncio.timeout(deadline):
            while text not in (await self.operations(path))[1]:  # noqa: ASYNC110 - over HTTP there is no event
                await asyncio.sleep(0.02)

    async def receives(self, ticks: int) -> None:
        """Return once the gateway received *ticks* more from the broker."""
        end = await self._received() + ticks
        async with asyncio.timeout(20):
            while await self._received() < end:  # noqa: ASYNC110 - over HTTP there is no event
                await asyncio.sleep(0.02)

    async def figures(self) -> dict[str, float]:
        """Return every metric."""
        _, metrics = await self.operations("/metrics")
        lines = (line.rsplit(" ", 1) for line in metrics.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in lines}

    async def _received(self) -> float:
        _, metrics = await self.operations("/metrics")
        return float(metrics.partition("\ntickwire_ticks_received_total ")[2].partition("\n")[0])


@contextlib.asynccontextmanager
async def stack(*, producing: bool = True, **given: object) -> AsyncIterator[Stack]:
    """Run a stack on free ports."""
    here = Stack()
    settings = GatewaySettings.model_validate({"port": 0, "ops_port": 0, "drain_s": 1.0, **given})
    produced = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        here.running = tasks.create_task(
            app.run(
                settings,
                here.broker.source("gateway"),
                here.broker.history(),
                clock=SystemClock(),
                registry=CollectorRegistry(),
                stop=here.stop,
                started=here.started,
            )
        )
        await eventually(lambda: here.port and here.broker.links)
        if producing:  # after the gateway, which so hears the first directory and not only the one 10 s later
            told = ProducerSettings.model_validate({"ops_port": 0, "rate": 2000, "drain_s": 1.0})
            tasks.create_task(
                producer.run(
                    told,
                    here.broker.sink("producer"),
                    clock=SystemClock(),
                    registry=CollectorRegistry(),
                    stop=produced,
                )
            )
            await here.shows("/readyz", "ready\n")
        try:
            yield here
        finally:
            here.stop.set()
            produced.set()


async def test_from_first_tick_to_drain() -> None:
    """Ticks flow without an unexplained hole; operations tell of it; a drain says reconnect and 1012."""
    async with stack() as here, aiohttp.ClientSession() as http, StreamClient(http, Checker()) as client:
        await client.connect(here.stream)
        assert await client.subscribe("AAPL", "MSFT", "NVDA", "NOPE") == {"NOPE": "unknown_symbol"}
        await client.until(lambda: client.checker.ticks > 100)
        await client.list()
        await client.unsubscribe("MSFT")
        assert await here.operations("/readyz") == (200, "ready\n")
        _, metrics = await here.operations("/metrics")
        shown = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if not line.startswith("#"))
        assert float(shown["tickwire_connections"]) == 1
        assert float(shown["tickwire_subscriptions"]) == 2
        assert float(shown["tickwire_ticks_sent_total"]) >= 100
        assert float(shown['tickwire_latency_seconds_count{stage="total"}']) >= 100
        assert float(shown['tickwire_symbol_lines{state="open"}']) >= 2
        assert shown['tickwire_commands_total{op="subscribe",result="ok"}'] == "1.0"
        assert shown['tickwire_rejections_total{reason="unknown_symbol"}'] == "1.0"
        assert shown["tickwire_handshake_seconds_count"] == "1.0"
        assert 0 < float(shown["tickwire_handshake_seconds_sum"]) < 5
        assert float(shown["tickwire_flush_clients_sum"]) >= 1
        assert float(shown["tickwire_ring_ticks"]) >= 100
        assert 0 <= float(shown["tickwire_feed_clock_offset_seconds"]) < 1  # one clock

        start = asyncio.get_running_loop().time()
        here.stop.set()
        assert await client.gone() == 1012
        assert client.frames[-1]["op"] == "reconnect"
        await here.running
        assert asyncio.get_running_loop().time() - start < 6.0
        client.checker.finish()
        with pytest.raises(aiohttp.ClientConnectorError):
            await http.get(f"http://127.0.0.1:{here.port}/")


async def test_nobody_comes_in_while_draining() -> None:
    """While a client still has time to leave, the port is closed, and the gateway says that it drains."""
    async with stack(drain_s=1.5) as here, aiohttp.ClientSession() as http, http.ws_connect(here.stream):
        here.stop.set()
        await here.shows("/readyz", "draining\n")
        with pytest.raises(aiohttp.ClientConnectorError):
            await http.get(f"http://127.0.0.1:{here.port}/")
        assert not here.running.done()
        _, metrics = await here.operations("/metrics")
        assert "tickwire_draining 1.0" in metrics
        await asyncio.wait_for(here.running, 6.5)


async def test_conflating_client() -> None:
    """A client with max_rate gets what is newest, and its arithmetic of skipped ticks holds."""
    async with stack() as here, aiohttp.ClientSession() as http, StreamClient(http, Checker()) as client:
        await client.connect(here.stream)
        await client.subscribe("AAPL", "NVDA", max_rate=20)
        await client.until(lambda: client.checker.account("AAPL").conflated > 10)
        client.checker.check()


async def test_slow_client_conflates_and_recovers() -> None:
    """A client that does not read for a while skips ticks, all of them accounted for, and then keeps up again."""
    async with stack() as here, aiohttp.ClientSession() as http:
        checker = Checker(conflates=True)
        async with StreamClient(http, checker) as client:
            await client.connect(here.stream)
            await client.subscribe("*")
            await client.until(lambda: checker.ticks > 100)
            assert client._socket is not None
            connection = client._socket._response.connection
            assert connection is not None
            transport = connection.transport
            assert transport is not None
            transport.pause_reading()
            await here.shows("/metrics", "tickwire_slow_clients_total 1.0")
            await here.receives(1000)
            transport.resume_reading()
            await client.until(lambda: sum(checker.account(s).conflated for s in checker.subscribed) > 100)
            seen = checker.ticks
            await client.until(lambda: checker.ticks > seen + 500)
            checker.check()


async def test_without_a_broker() -> None:
    """A gateway whose broker is down serves, says that its feed is stale, and is not ready."""
    async with stack(producing=False) as here, aiohttp.ClientSession() as http:
        here.broker.stop()
        async with http.ws_connect(here.stream) as client:
            assert (await client.receive_json(timeout=5))["feed"] == "stale"
            status, reason = await here.operations("/readyz")
            assert (status, "broker" in reason) == (503, True)
            assert (await here.operations("/livez"))[0] == 200


async def test_at_the_connection_limit() -> None:
    """A full gateway is not ready, and is again when somebody leaves."""
    async with stack(max_connections=1) as here, aiohttp.ClientSession() as http:
        async with http.ws_connect(here.stream) as client:
            await client.receive_json(timeout=5)
            assert await here.operations("/readyz") == (503, "at the connection limit\n")
        await here.shows("/readyz", "ready\n")


async def test_the_page() -> None:
    """The root serves the dashboard, under a policy that allows nothing from elsewhere."""
    index = (await asyncio.to_thread(read_pages))[INDEX]
    async with (
        stack(producing=False) as here,
        aiohttp.ClientSession() as http,
        http.get(f"http://127.0.0.1:{here.port}/") as answer,
    ):
        assert (answer.status, await answer.read()) == (index.status, index.body)
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]


async def test_port_taken() -> None:
    """A port that is taken is an error of its own, and nothing keeps running."""
    async with stack(producing=False) as here:
        with pytest.raises((CannotListen, ExceptionGroup)) as caught:
            await app.run(
                GatewaySettings(port=here.port, ops_port=0),
                here.broker.source("other"),
                here.broker.history(),
                clock=SystemClock(),
                registry=CollectorRegistry(),
                stop=asyncio.Event(),
            )
        assert isinstance(root_cause(caught.value), CannotListen)
        assert "TICKWIRE_PORT" in str(root_cause(caught.value))


async def test_unready_before_it_refuses() -> None:
    """A gateway told to end is unready at once, goes on serving and letting clients in, then sends them away."""
    async with (
        stack(unready_s=1.0) as here,
        aiohttp.ClientSession() as http,
        StreamClient(http, Checker()) as old,
        StreamClient(http, Checker()) as new,
    ):
        await old.connect(here.stream)
        await old.subscribe("AAPL", "MSFT")
        here.stop.set()
        await here.shows("/readyz", "draining\n")

        await new.connect(here.stream)
        await new.subscribe("AAPL")
        before = old.checker.ticks
        await old.until(lambda: old.checker.ticks > before + 20)
        await new.until(lambda: new.checker.ticks > 0)
        assert not old.counts["reconnect"]

        for client in (old, new):
            assert await client.gone() == 1012
            assert client.counts["reconnect"] == 1
            client.checker.check()


async def test_few_files_are_few_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel allows 300 files, 150 clients may come: the next one hears that it is one too many."""
    monkeypatch.setattr("gateway.app.allow_files", lambda _: 300)
    async with stack() as here:
        assert "\ntickwire_connections_max 150.0\n" in (await here.operations("/metrics"))[1]
    async with stack(max_connections=100) as here:
        assert "\ntickwire_connections_max 100.0\n" in (await here.operations("/metrics"))[1]


async def test_replays_have_a_limit() -> None:
    """Who resumes again and again is told by a gap when it had its share of the past; others still get theirs."""
    async with (
        stack(replay_ticks=1_000, command_rate=1_000) as here,
        aiohttp.ClientSession() as http,
        StreamClient(http, Checker()) as greedy,
        StreamClient(http, Checker()) as modest,
    ):
        await greedy.connect(here.stream)
        await modest.connect(here.stream)
        for client in (greedy, modest):
            assert await client.subscribe("*") == {}
            await client.until(lambda client=client: client.checker.ticks > 1_000)  # type: ignore[misc]
        symbols = sorted(greedy.checker.subscribed)
        start = asyncio.get_running_loop().time()
        while not greedy.counts["gap"]:
            await greedy.unsubscribe(*symbols)
            await here.receives(200)
            await greedy.subscribe(*symbols, resume=greedy.checker.resume(symbols))
            seen = greedy.checker.ticks
            await greedy.until(lambda seen=seen: greedy.checker.ticks > seen + 100)  # type: ignore[misc]
        seconds = asyncio.get_running_loop().time() - start
        shown = await here.figures()
        assert 900 < shown["tickwire_ticks_replayed_total"] <= 1_000 + seconds * 1_000 / 60
        assert shown["tickwire_replays_refused_total"] >= 1
        assert shown['tickwire_gaps_total{reason="unavailable"}'] == shown["tickwire_replays_refused_total"]

        await modest.unsubscribe(*symbols)
        await here.receives(200)
        await modest.subscribe(*symbols, resume=modest.checker.resume(symbols))
        for client in (greedy, modest):
            seen = client.checker.ticks
            await client.until(lambda client=client, seen=seen: client.checker.ticks > seen + 500)  # type: ignore[misc]
            client.checker.check()
        assert not modest.counts["gap"]


async def test_bindings_are_paced() -> None:
    """A hundred symbols at 20 a second: all come, who asks for one meanwhile has it at once, nobody is refused."""
    async with (
        stack(bind_rate=20, bind_burst=10) as here,
        aiohttp.ClientSession() as http,
        StreamClient(http, Checker()) as storm,
        StreamClient(http, Checker()) as other,
    ):
        loop = asyncio.get_running_loop()
        await storm.connect(here.stream)
        await other.connect(here.stream)
        start = loop.time()
        identity = await storm.say("subscribe", symbols=["*"])
        await storm.until(lambda: storm.checker.subscribed)
        last = max(SYMBOLS - storm.checker.subscribed)
        asked = loop.time()
        assert await other.subscribe(last) == {}
        assert loop.time() - asked < 1.0
        assert identity in storm.checker.unanswered
        await storm.answered(identity)
        assert 4.0 < loop.time() - start < 9.0
        assert len(storm.checker.subscribed) == 100
        shown = await here.figures()
        assert shown["tickwire_transitions_total"] == 100
        assert 85 <= shown["tickwire_transitions_delayed_total"] <= 90
        assert shown["tickwire_transitions_waited_seconds_total"] > 100
        for client in (storm, other):
            client.checker.check()


async def test_unknown_names_are_refused_in_bulk() -> None:
    """Ten thousand well-formed names that nobody knows: each is rejected, and the broker hears of none."""
    async with (
        stack(command_rate=1_000, command_burst=10_000) as here,
        aiohttp.ClientSession() as http,
        StreamClient(http, Checker()) as client,
    ):
        await client.connect(here.stream)
        await client.subscribe("AAPL")
        for batch in range(50):
            names = [f"X{batch}.{n}" for n in range(200)]
            assert await client.subscribe(*names) == dict.fromkeys(names, "unknown_symbol")
            await client.unsubscribe(*names)
        shown = await here.figures()
        assert shown["tickwire_transitions_total"] == 1
        assert shown["tickwire_directory_symbols"] == 100
        assert sum(v for name, v in shown.items() if name.startswith("tickwire_symbol_lines{")) == 1
        seen = client.checker.ticks
        await client.until(lambda: client.checker.ticks > seen)
        client.checker.check()
