"""The HTTP wire over real sockets, with a scripted market behind it: admission, caches, compression, problems."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import gzip
import socket
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import aiohttp
import orjson
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from gateway.admission.authority import Reason
from gateway.admission.entitlement import Entitlement
from gateway.admission.origin import parse_origins
from gateway.app import build_sessions
from gateway.glance import Glance
from gateway.settings import GatewaySettings
from gateway.tape import Tape
from gateway.wires.http import gate
from gateway.wires.http.routes import Http
from gateway.wires.problem import TABLE
from services.broker.history import Answer, CandleAnswer, CandleQuestion, Question
from services.errors import HistoryUnavailable
from services.market.candle import Candle
from services.market.day import Day
from services.market.directory import Directory, DirectoryPart, Instrument, SessionState
from services.market.position import Position
from services.market.symbol import Symbol
from services.runtime.clock import SystemClock
from tests.admission import Known, ScriptedAuthority, reception
from tests.eventually import eventually
from tests.listeners import line

A: Final = Symbol("AAPL")
M: Final = Symbol("MSFT")
NAMES: Final = {A: "Apple Inc.", M: "Microsoft Corporation", Symbol("NEVER"): "Never Traded Inc."}
PAGE: Final = "https://page.example"
KNOWN: Final[Known] = {
    "alice": Entitlement(subject="alice", names=frozenset({A})),
    "late": Entitlement(subject="late", prefixes=("",), delayed=True),
    "slow": Entitlement(subject="slow", prefixes=("",), max_rate=2),
    "few": Entitlement(subject="few", prefixes=("",), max_symbols=1),
    "old": Reason.EXPIRED,
}


class Market:
    """A directory, tapes, and a history that can be stopped."""

    def __init__(self) -> None:
        self.directory = Directory()
        self.directory_due = False
        self.tapes: dict[Symbol, Tape] = {}
        self.held: dict[Symbol, int] = {A: 50, M: 30}
        """The last sequence that history has of each symbol."""
        self.asked: list[Question | CandleQuestion] = []
        self.present = True
        self.answering = asyncio.Event()
        self.answering.set()
        self.candle_count = 5

    def list(self, names: dict[Symbol, str]) -> None:
        """Let the directory arrive."""
        entries = (Instrument(s, n, "SIM", "USD", 2, 1, 10_000, SessionState.OPEN, 5) for s, n in names.items())
        self.directory.add(DirectoryPart("main", 1, 0, 1, tuple(entries)))

    def follow(self, symbol: Symbol, last: int) -> None:
        """Let somebody follow *symbol*, whose ticks up to *last* have come."""
        tape = self.tapes[symbol] = Tape()
        tape.add(7, 1, [line(symbol, seq) for seq in range(1, last + 1)], 100 * last)

    def glance(self, symbol: Symbol) -> Glance:
        """See `MarketFeed`."""
        return Glance(symbol in self.tapes, self.tapes.get(symbol), None)

    async def run(self) -> None:
        """See `History`."""

    async def ask(self, question: Question) -> Answer:
        """See `History`."""
        await self._wait(question)
        last = self.held.get(question.symbol, 0)
        first = last if question.after is None else question.after.seq + 1
        ticks = tuple(
            (Position(7, seq), line(question.symbol, seq)) for seq in range(max(1, first), last + 1)[:500]
        )
        day = Day(1, 100, 100, 100, 1, 2, Position(7, 40)) if question.after is None and last else None
        return Answer(question, ticks if last else (), Position(7, last) if last else None, None, day)

    async def candles(self, question: CandleQuestion) -> CandleAnswer:
        """See `History`."""
        await self._wait(question)
        start = 1_795_000_020_000_000
        found = (
            Candle(A, 60, start + n * 60_000_000, 0, 7, 1, 2, 1, 2, 3, 4, 2) for n in range(self.candle_count)
        )
        return CandleAnswer(question, tuple(found))

    async def _wait(self, question: Question | CandleQuestion) -> None:
        self.asked.append(question)
        await self.answering.wait()
        if not self.present:
            raise HistoryUnavailable("nobody")


class Server:
    """A gateway's HTTP wire, and who asks it."""

    def __init__(
        self, market: Market, http: aiohttp.ClientSession, port: int, registry: CollectorRegistry
    ) -> None:
        self.market, self._http, self.port, self._registry = market, http, port, registry

    async def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, Mapping[str, str], bytes]:
        """Return status, headers and the body as it came over the wire."""
        sent = {
            "Accept-Encoding": "identity",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self._http.request(method, url, headers=sent) as answer:
            return answer.status, answer.headers, await answer.read()

    async def json(self, path: str, **headers: str) -> Any:
        """Return the JSON of an answer that must be 200."""
        status, _, body = await self.get(path, **headers)
        assert status == 200, body
        return orjson.loads(body)

    async def problem(self, path: str, **headers: str) -> dict[str, Any]:
        """Return a problem, whose status must be that of the answer and whose code must be known."""
        status, found, body = await self.get(path, **headers)
        assert found["Content-Type"] == "application/problem+json", (status, body)
        problem: dict[str, Any] = orjson.loads(body)
        assert problem["status"] == status
        assert problem["code"] in {kind.code for kind in TABLE}
        return problem

    def metric(self, name: str, **labels: str) -> float:
        """Return a figure."""
        return self._registry.get_sample_value(f"tickwire_http_{name}", labels) or 0.0


@contextlib.asynccontextmanager
async def serving(known: Known | None = None, *, listed: bool = True, **given: object) -> AsyncIterator[Server]:
    """Serve the HTTP wire on a free port."""
    settings = GatewaySettings.model_validate(given)
    sessions, market, clock = build_sessions(settings, SystemClock()), Market(), SystemClock()
    if listed:
        market.list(NAMES)
    authority = ScriptedAuthority(known)
    wire = Http(
        settings,
        market,
        market,
        clock,
        reception=reception(settings, sessions, authority),
        trusted=(),
        origins=parse_origins(settings.origins),
    )
    registry = CollectorRegistry()
    registry.register(wire.collector)
    application = web.Application()
    wire.add(application)
    wire.add_rest(application)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession(auto_decompress=False, connector=aiohttp.TCPConnector(limit=0)) as http:
        try:
            yield Server(market, http, runner.addresses[0][1], registry)
        finally:
            market.answering.set()
            await runner.cleanup()


async def test_unchanged() -> None:
    """Who shows the ETag of what there is gets 304 and no body; after a tick the answer is another one."""
    async with serving() as server:
        server.market.held[A] = 4
        server.market.follow(A, 5)
        status, first, body = await server.get("/v1/quotes?symbols=AAPL")
        assert status == 200
        assert b'"seq":5' in body
        status, again, body = await server.get("/v1/quotes?symbols=AAPL", If_None_Match=first["ETag"])
        assert (status, body, again["ETag"]) == (304, b"", first["ETag"])
        assert "Content-Type" not in again
        server.market.follow(A, 6)
        status, later, body = await server.get("/v1/quotes?symbols=AAPL", If_None_Match=first["ETag"])
        assert status == 200
        assert later["ETag"] != first["ETag"]
        assert b'"seq":6' in body
        assert server.metric("unchanged_total") == 1
        assert server.metric("requests_total", route="quotes", code="2xx") == 2
        assert server.metric("requests_total", route="quotes", code="3xx") == 1
        assert server.metric("seconds_count", route="quotes") == 3


async def test_compressed() -> None:
    """Who takes gzip gets a large answer compressed, under an ETag of its own; a small one stays as it is."""
    async with serving() as server:
        server.market.follow(A, 400)
        plain = await server.get("/v1/ticks/AAPL?limit=300")
        status, headers, body = await server.get("/v1/ticks/AAPL?limit=300", Accept_Encoding="br, gzip")
        assert (status, headers["Content-Encoding"]) == (200, "gzip")
        assert gzip.decompress(body) == plain[2]
        assert int(headers["Content-Length"]) == len(body) < len(plain[2]) / 3
        assert headers["ETag"] != plain[1]["ETag"]
        assert "Accept-Encoding" in headers["Vary"]
        asked = {"Accept_Encoding": "gzip", "If_None_Match": headers["ETag"]}
        assert (await server.get("/v1/ticks/AAPL?limit=300", **asked))[0] == 304
        assert "Content-Encoding" not in (await server.get("/v1/ticks/AAPL?limit=1", Accept_Encoding="gzip"))[1]


async def test_a_large_answer_in_a_thread() -> None:
    """While 10,000 ticks are written and compressed the loop goes on turning: nobody's tick waits for it."""
    async with serving() as server:
        server.market.held[A] = 10_000
        gc.disable()  # a full collection of what the test runner keeps takes 70 ms; a gateway has frozen its own
        path = "/v1/ticks/AAPL?after=7-0&limit=10000&format=csv"
        asking = asyncio.ensure_future(server.get(path, Accept_Encoding="gzip"))
        worst = 0.0
        while not asking.done():
            before = time.thread_time()  # of this thread alone: the machine may be busy with others
            await asyncio.sleep(0)
            worst = max(worst, time.thread_time() - before)
        gc.enable()
        status, _, body = await asking
        assert status == 200
        assert gzip.decompress(body).count(b"\n") == 10_001
        assert server.metric("made_total", where="thread") == 1
        assert len(server.market.asked) == 20
        assert worst < 0.02  # 2 to 5 ms, of which making 500 ticks for this test is most; all at once takes 40


async def test_head() -> None:
    """HEAD has the headers of GET and no body."""
    async with serving() as server:
        for path in ("/v1/symbols", "/v1/quotes?symbols=AAPL", "/v1/ticks/AAPL", "/v1/candles/AAPL"):
            _, got, body = await server.get(path)
            status, headers, nothing = await server.get(path, "HEAD")
            assert (status, nothing) == (200, b"")
            assert (headers["Content-Length"], headers["ETag"]) == (str(len(body)), got["ETag"])


async def test_methods() -> None:
    """What a resource cannot do is refused with what it can."""
    async with serving() as server:
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            status, headers, _ = await server.get("/v1/candles/AAPL", method)
            assert (status, headers["Allow"]) == (405, "GET, HEAD, OPTIONS")


async def test_problems() -> None:
    """Bad input is answered with what is wrong and what is allowed."""
    async with serving() as server:
        for path, status, code, parameter in (
            ("/v1/ticks/ZZZZ", 404, "unknown_symbol", "symbol"),
            ("/v1/ticks/no%20symbol", 400, "bad_parameter", "symbol"),
            ("/v1/ticks/AAPL?after=1041", 400, "bad_parameter", "after"),
            ("/v1/ticks/AAPL?limit=many", 400, "bad_parameter", "limit"),
            ("/v1/candles/AAPL?interval=5m", 400, "bad_parameter", "interval"),
            ("/v1/candles/AAPL?color=red", 400, "bad_parameter", "color"),
            ("/v1/quotes", 400, "missing_parameter", "symbols"),
            ("/v1/quotes?symbols=AAPL,ZZZZ", 404, "unknown_symbol", "symbols"),
            ("/v1/quotes?symbols=" + ",".join(f"S{n}" for n in range(201)), 400, "too_many_symbols", "symbols"),
            ("/v1/quotes?symbols=AAPL&token=secret", 400, "token_in_url", "token"),
            ("/v1/nothing?x=1", 404, "not_found", None),
        ):
            problem = await server.problem(path)
            assert (problem["status"], problem["code"], problem.get("parameter")) == (status, code, parameter), (
                path
            )
            assert "secret" not in str(problem)
        assert server.metric("requests_total", route="none", code="4xx") == 1


async def test_no_directory_yet() -> None:
    """Before the first directory nothing is called unknown: 503, and when to come again."""
    async with serving(listed=False) as server:
        server.market.directory_due = True
        for path in ("/v1/symbols", "/v1/quotes?symbols=AAPL", "/v1/ticks/AAPL", "/v1/candles/AAPL"):
            assert (await server.problem(path))["code"] == "feed_unavailable"
        assert (await server.get("/v1/symbols"))[1]["Retry-After"] == "1"


async def test_history_is_away() -> None:
    """Without history what is followed here is told nevertheless; the rest is 503, and when to come again."""
    async with serving() as server:
        server.market.present = False
        server.market.follow(M, 9)
        for path in ("/v1/quotes?symbols=AAPL", "/v1/ticks/AAPL", "/v1/candles/AAPL", "/v1/ticks/MSFT?after=3-1"):
            assert (await server.problem(path))["code"] == "history_unavailable", path
            assert (await server.get(path))[1]["Retry-After"] == "1"
        told = await server.json("/v1/quotes?symbols=AAPL,MSFT")
        assert told["missing"] == {"AAPL": "unavailable"}
        assert told["quotes"]["MSFT"]["tick"]["seq"] == 9
        assert len((await server.json("/v1/ticks/MSFT?after=7-3"))["ticks"]) == 6
        assert len((await server.json("/v1/ticks/MSFT"))["ticks"]) == 9


async def test_nobody_waits_for_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the ticks are live and history is slow, quotes come with an older day, or without one."""
    monkeypatch.setattr("gateway.wires.http.recall.DAY_S", 0.0)
    async with serving() as server:
        server.market.follow(A, 60)
        server.market.follow(M, 60)
        assert (await server.json("/v1/quotes?symbols=AAPL"))["quotes"]["AAPL"]["day"]["seq"] == 40
        server.market.answering.clear()
        told = (await server.json("/v1/quotes?symbols=AAPL,MSFT"))["quotes"]
        assert told["AAPL"]["day"]["seq"] == 40
        assert told["MSFT"]["day"]["seq"] is None
        assert told["MSFT"]["tick"]["seq"] == 60


async def test_no_old_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody here follows a symbol and history has gone, what it said a while ago is no quote."""
    monkeypatch.setattr("gateway.wires.http.recall.LAST_S", -1.0)
    async with serving() as server:
        await server.json("/v1/quotes?symbols=AAPL")
        server.market.present = False
        assert (await server.problem("/v1/quotes?symbols=AAPL"))["code"] == "history_unavailable"


async def test_never_traded() -> None:
    """A symbol without a tick is missing from the quotes by name, and has an empty page."""
    async with serving() as server:
        told = await server.json("/v1/quotes?symbols=NEVER")
        assert told == {"quotes": {}, "missing": {"NEVER": "never_traded"}}
        page = await server.json("/v1/ticks/NEVER")
        assert (page["ticks"], page["next"], page["epoch"]) == ([], None, None)


async def test_many_pollers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of clients that want the same at the same time, or a moment later, are one question to history."""
    monkeypatch.setattr("gateway.wires.http.recall.LAST_S", 9.0)
    async with serving(http_rate=100_000, http_burst=1_000_000) as server:
        server.market.answering.clear()
        asking = [asyncio.ensure_future(server.get("/v1/quotes?symbols=AAPL,MSFT")) for _ in range(300)]
        await eventually(lambda: server.metric("under_way") >= 300)
        server.market.answering.set()
        found = await asyncio.gather(*asking)
        assert {status for status, _, _ in found} == {200}
        assert len({body for _, _, body in found}) == 1
        assert sorted(question.symbol for question in server.market.asked) == [A, M]
        assert server.metric("recalled_total", source="shared") == 598
        await server.get("/v1/quotes?symbols=AAPL")
        assert len(server.market.asked) == 2
        assert server.metric("recalled_total", source="kept") == 1


async def test_followed_symbols_cost_history_nothing() -> None:
    """Pages of a symbol that is followed here come from its tape."""
    async with serving() as server:
        server.market.follow(A, 60)
        page = await server.json("/v1/ticks/AAPL?limit=10")
        assert [tick["seq"] for tick in page["ticks"]] == list(range(51, 61))
        assert (page["next"], page["more"]) == ("7-60", False)
        page = await server.json(f"/v1/ticks/AAPL?after={page['next']}")
        assert (page["ticks"], page["next"]) == ([], "7-60")
        assert server.market.asked == []


async def test_tables() -> None:
    """Every resource is a table for who asks for CSV, by header or parameter."""
    async with serving() as server:
        for path, head in (
            ("/v1/symbols", "symbol,name,exchange"),
            ("/v1/quotes?symbols=AAPL", "symbol,epoch,seq"),
            ("/v1/ticks/AAPL", "epoch,seq,ts"),
            ("/v1/candles/AAPL", "start,time,epoch"),
        ):
            sign = "&" if "?" in path else "?"
            for given, accept in ((path, "text/csv"), (f"{path}{sign}format=csv", "*/*")):
                status, headers, body = await server.get(given, Accept=accept)
                assert status == 200
                assert headers["Content-Type"].startswith("text/csv")
                assert body.decode().startswith(head)


async def test_pages_of_the_directory() -> None:
    """The directory goes on where `next` and `Link` say."""
    async with serving() as server:
        first = await server.json("/v1/symbols?limit=2")
        assert ([each["symbol"] for each in first["symbols"]], first["next"]) == (["AAPL", "MSFT"], "MSFT")
        _, headers, _ = await server.get("/v1/symbols?limit=2")
        link = headers["Link"].partition(">")[0][1:]
        second = await server.json(link)
        assert ([each["symbol"] for each in second["symbols"]], second["next"]) == (["NEVER"], None)
        assert headers["Cache-Control"] == "public, max-age=10"


async def test_tokens() -> None:
    """A token opens what it names: the rest is refused by name, and not even listed."""
    async with serving(KNOWN) as server:
        alice, late = {"Authorization": "Bearer alice"}, {"Authorization": "Bearer late"}
        assert (await server.problem("/v1/symbols"))["code"] == "no_token"
        assert (await server.get("/v1/symbols"))[1]["WWW-Authenticate"] == "Bearer"
        assert (await server.problem("/v1/symbols", Authorization="Bearer old"))["code"] == "token_expired"
        assert (await server.problem("/v1/symbols", Authorization="Bearer what"))["code"] == "token_refused"
        assert (await server.problem("/v1/symbols", Authorization="Basic x"))["code"] == "token_refused"
        listed = await server.json("/v1/symbols", **alice)
        assert [each["symbol"] for each in listed["symbols"]] == ["AAPL"]
        problem = await server.problem("/v1/quotes?symbols=AAPL,MSFT", **alice)
        assert (problem["status"], problem["code"], problem["symbols"]) == (403, "not_entitled", ["MSFT"])
        for path in ("/v1/quotes?symbols=AAPL", "/v1/ticks/AAPL", "/v1/candles/AAPL"):
            status, headers, _ = await server.get(path, **alice)
            assert (status, headers["Cache-Control"].split(",")[0]) == (200, "private")
            assert "Authorization" in headers["Vary"]
            assert (await server.problem(path, **late))["code"] == "delayed_unavailable"
        few = {"Authorization": "Bearer few"}
        assert (await server.problem("/v1/quotes?symbols=AAPL,MSFT", **few))["code"] == "too_many_symbols"


async def test_a_token_with_a_rate() -> None:
    """A token for two ticks a second has two answers with quotes a second, and no list of every tick."""
    async with serving(KNOWN) as server:
        slow = {"Authorization": "Bearer slow"}
        assert (await server.problem("/v1/ticks/AAPL", **slow))["code"] == "not_entitled"
        found = [(await server.get("/v1/quotes?symbols=AAPL", **slow))[0] for _ in range(4)]
        assert found.count(200) in (2, 3)
        assert found[-1] == 429


async def test_pace() -> None:
    """More requests than one address may make are refused with when to come again."""
    async with serving(http_rate=0.5, http_burst=3) as server:
        found = [await server.get("/v1/symbols") for _ in range(4)]
        assert [status for status, _, _ in found] == [200, 200, 200, 429]
        assert found[-1][1]["Retry-After"] == "2"
        assert server.metric("refused_total") == 1


async def test_ticks_of_the_past_are_counted() -> None:
    """Who has had as much of the past as one client may have is told to wait; what is live costs nothing."""
    async with serving(replay_ticks=1_000) as server:
        server.market.held[A] = 2_000
        assert len((await server.json("/v1/ticks/AAPL?after=7-0&limit=1500"))["ticks"]) == 1_500
        status, headers, _ = await server.get("/v1/ticks/AAPL?after=7-1500")
        assert status == 429
        assert 30 < int(headers["Retry-After"]) < 70
        server.market.follow(M, 20)
        assert len((await server.json("/v1/ticks/MSFT?limit=9"))["ticks"]) == 9


async def test_pages_of_others() -> None:
    """A page on the list may ask and read, problems too; any other page is turned away."""
    async with serving(origins=[PAGE]) as server:
        status, headers, _ = await server.get(
            "/v1/quotes?symbols=AAPL",
            "OPTIONS",
            Origin=PAGE,
            Access_Control_Request_Method="GET",
            Access_Control_Request_Headers="authorization",
        )
        assert (status, headers["Access-Control-Allow-Origin"]) == (204, PAGE)
        for path in ("/v1/quotes?symbols=AAPL", "/v1/quotes"):
            _, headers, _ = await server.get(path, Origin=PAGE)
            assert headers["Access-Control-Allow-Origin"] == PAGE
            assert "ETag" in headers["Access-Control-Expose-Headers"]
            assert "Origin" in headers["Vary"]
        problem = await server.problem("/v1/symbols", Origin="https://other.example")
        assert (problem["status"], problem["code"]) == (403, "origin")
        assert (await server.get("/v1/symbols", "OPTIONS", Origin="https://other.example"))[0] == 403
        assert "Origin" in (await server.get("/v1/symbols"))[1]["Vary"]


async def test_an_unknown_position(monkeypatch: pytest.MonkeyPatch) -> None:
    """A position that nobody knows, 5 s later too, is called unknown, and the newest ticks come."""
    monkeypatch.setattr("gateway.wires.http.doubts.DOUBT_S", 0.2)
    async with serving() as server:
        page = await server.json("/v1/ticks/AAPL?after=9-5&limit=2")
        assert (page["ticks"], page["gaps"], page["next"]) == ([], [], "9-5")
        async with asyncio.timeout(10):
            while not page["gaps"]:
                await asyncio.sleep(0.05)  # slower than a client's allowance
                page = await server.json("/v1/ticks/AAPL?after=9-5&limit=2")
        assert page["gaps"] == [{"epoch": 9, "from": 6, "to": None, "reason": "unknown_position"}]
        assert [tick["seq"] for tick in page["ticks"]] == [49, 50]
        assert page["next"] == "7-50"


async def test_candles() -> None:
    """Candles come oldest first, as many as asked for; those who ask for a few less share their question."""
    async with serving() as server:
        told = await server.json("/v1/candles/AAPL?interval=1m&limit=3")
        assert len(told["candles"]) == 3
        await server.json("/v1/candles/AAPL?limit=90")
        assert len(server.market.asked) == 1


async def test_who_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers that nobody takes are bounded: beyond it others are told to come again, until they are taken."""
    monkeypatch.setattr(gate, "UNSENT_BYTES", 50_000)
    async with serving(replay_ticks=1_000_000, http_burst=100_000) as server:
        server.market.held[A] = 10_000
        with socket.socket() as mute:
            mute.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            mute.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(mute, ("127.0.0.1", server.port))
            request = b"GET /v1/ticks/AAPL?after=7-0&limit=10000 HTTP/1.1\r\nHost: x\r\n\r\n"
            await loop.sock_sendall(mute, 8 * request)  # the kernel takes 2.8 MB of what is answered
            async with asyncio.timeout(20):
                while (await server.get("/v1/symbols"))[0] == 200:  # noqa: ASYNC110 - over HTTP, no event
                    await asyncio.sleep(0.02)
            assert (await server.problem("/v1/symbols"))["code"] == "busy"
            assert server.metric("unsent_bytes") > 50_000
        async with asyncio.timeout(20):
            while (await server.get("/v1/symbols"))[0] != 200:  # noqa: ASYNC110 - over HTTP, no event
                await asyncio.sleep(0.02)
