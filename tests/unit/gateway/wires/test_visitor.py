"""HTTP as hostile and honest clients speak it, over a real doorway: who is answered what, and who is dropped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from gateway.admission.porch import Overdue, Porch
from gateway.doorway import Doorway, Guest, bind
from gateway.wires.handover import Upgrade, take_over
from gateway.wires.headers import secure_answers
from gateway.wires.pages import Page, add_pages
from gateway.wires.visitor import LINGER_S, arrival, visitors
from services.runtime.clock import SystemClock
from tests.eventually import eventually

BODY: Final = 1_024
LARGE: Final = 32_000_000
"""More than the kernel takes for one connection."""
MARK: Final = b"OURMARK"
"""What no answer may repeat."""
UPGRADE: Final = (
    b"GET /up HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


@dataclass
class House:
    """A doorway with aiohttp behind it."""

    door: Doorway
    secure: bool = False

    async def call(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection."""
        return await asyncio.open_connection("127.0.0.1", self.door.port)

    async def ask(self, request: bytes) -> bytes:
        """Send *request*, and return everything that comes until the connection ends."""
        reader, writer = await self.call()
        writer.write(request)
        try:
            return await asyncio.wait_for(reader.read(), 5)
        finally:
            writer.close()


class Silent(asyncio.Protocol):
    """Holds an upgraded connection."""


@asynccontextmanager
async def house(*, first_byte_s: float = 60.0, request_s: float = 60.0, most: int = 100) -> AsyncIterator[House]:
    """A page at `/`, an upgrade at `/up`, `/broken`, and POST `/echo`."""

    async def up(request: web.Request) -> web.StreamResponse:
        upgrade = Upgrade(compress=False)
        await upgrade.prepare(request)
        transport, _ = take_over(request)
        transport.set_protocol(Silent())
        return upgrade

    async def echo(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    async def broken(_: web.Request) -> web.Response:
        raise RuntimeError("a defect")

    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(0.6)
        return web.Response(text="done")

    app = web.Application(client_max_size=BODY, middlewares=[arrival])
    here: list[House] = []
    secure_answers(app, lambda _: here[0].secure)
    app.router.add_get("/up", up)
    app.router.add_get("/broken", broken)

    async def large(_: web.Request) -> web.Response:
        return web.Response(body=bytes(LARGE))

    app.router.add_get("/large", large)
    app.router.add_get("/slow", slow)
    app.router.add_post("/echo", echo)
    add_pages(app, {"index.html": Page(b"<p>", "text/html; charset=utf-8")})
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    porch: Porch[Guest] = Porch(first_byte_s=first_byte_s, request_s=request_s, most=most)
    door = Doorway(bind("127.0.0.1", 0), visitors(runner, idle_s=request_s), lambda: None, porch, SystemClock())
    here.append(House(door))
    try:
        yield here[0]
    finally:
        door.close()
        await runner.cleanup()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.doorway.LOOK_S", 0.01)


HOSTILE: Final = {
    "no HTTP": b"OURMARK\r\n\r\n",
    "TLS to a plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfcOURMARK" + b"\0" * 600,
    "a bad version": b"GET /OURMARK HTTP/9.9\r\n\r\n",
    "a bad method": b"OUR<MARK / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a header without a colon": b"GET / HTTP/1.1\r\nHost: x\r\nOURMARK\r\n\r\n",
    "a header with a zero": b"GET / HTTP/1.1\r\nHost: x\r\nX: OURMARK\0\r\n\r\n",
    "a folded header": b"GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n OURMARK: x\0\r\n\r\n",
    "two lengths": b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nOURMARK",
    "length and chunks": b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0",
    "a negative length": b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\nOURMARK",
    "a long header": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + MARK * 2_000 + b"\r\n\r\n",
    "a long address": b"GET /" + MARK * 2_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: OURMARK\r\n" * 1_000 + b"\r\n",
    "a bad chunk": b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nOURMARK\r\n",
}


@pytest.mark.parametrize("request_", HOSTILE.values(), ids=HOSTILE)
async def test_what_is_no_request_is_refused(request_: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """It is answered 400 and counted; neither the answer nor the log repeats it or names what serves it."""
    async with house() as here:
        with capture_logs() as lines, caplog.at_level(logging.DEBUG):
            answer = await here.ask(request_)
        assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
        head = answer.lower()
        assert b"\r\nx-content-type-options: nosniff\r\n" in head
        assert b"\r\nserver: tickwire\r\n" in head
        assert MARK not in answer
        assert b"aiohttp" not in head
        assert b"python" not in head
        assert not lines
        assert "OURMARK" not in caplog.text
        assert not caplog.records
        large = request_ in (HOSTILE["a long header"], HOSTILE["a long address"])
        assert (here.door.garbled, here.door.oversized) == (not large, large)
        await eventually(lambda: not here.door.porch)


ERRORS: Final = {
    404: b"GET /OURMARK?OURMARK HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    405: b"DELETE /up?OURMARK HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    413: b"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2100\r\n\r\n" + MARK * 300,
    400: b"GET /up HTTP/1.1\r\nHost: x\r\nConnection: close\r\nSec-WebSocket-Version: OURMARK\r\n\r\n",
    500: b"GET /broken?OURMARK HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
}


@pytest.mark.parametrize("status", ERRORS)
async def test_errors_say_little(status: int) -> None:
    """An error of HTTP carries the headers of every answer, and nothing of what was asked."""
    async with house() as here:
        with capture_logs() as lines:
            answer = await here.ask(ERRORS[status])
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        head = answer.lower()
        assert b"\r\nx-content-type-options: nosniff\r\n" in head
        assert b"\r\ncontent-security-policy: default-src 'none'; frame-ancestors 'none'\r\n" in head
        assert b"\r\ncross-origin-resource-policy: same-origin\r\n" in head
        assert b"\r\nserver: tickwire\r\n" in head
        assert MARK not in answer
        assert b"traceback" not in head
        assert here.door.oversized == (status == 413)
        assert [line["event"] for line in lines] == (["gateway.request_failed"] if status == 500 else [])


async def test_the_page_has_its_own_policy() -> None:
    """The page's headers stand beside those of every answer, each once."""
    async with house() as here:
        answer = (await here.ask(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).lower()
        assert answer.count(b"\r\ncontent-security-policy:") == 1
        assert b"connect-src 'self'; object-src 'none'; " in answer
        assert b"\r\ncross-origin-opener-policy: same-origin\r\n" in answer
        assert b"\r\npermissions-policy: camera=()" in answer
        assert b"strict-transport-security" not in answer


@pytest.mark.parametrize(
    ("host", "told"),
    [
        (b"ticker.example", True),
        (b"ticker.example:8443", True),
        (b"localhost:8443", False),
        (b"a.localhost", False),
    ],
)
async def test_who_came_by_tls_is_told_to_stay(host: bytes, told: bool) -> None:  # noqa: FBT001
    """An answer by TLS binds the browser to TLS for a year, but not for localhost, which others use too."""
    async with house() as here:
        here.secure = True
        for path in (b"/", b"/nothing"):
            answer = await here.ask(
                b"GET " + path + b" HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n"
            )
            assert (b"\r\nStrict-Transport-Security: max-age=31536000\r\n" in answer) is told


async def test_a_slow_head_is_bounded() -> None:
    """A request that comes a byte at a time is dropped after its time, without an answer."""
    async with house(request_s=0.3) as here:
        reader, writer = await here.call()
        for byte in b"GET / HTTP/1.1\r\nHost: " + b"x" * 10_000:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.01)
            if reader.at_eof() or writer.is_closing():
                break
        else:
            pytest.fail("it was never dropped")
        writer.close()
        await eventually(lambda: not here.door.porch)


@pytest.mark.parametrize("before", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"], ids=["first", "second"])
async def test_a_slow_body_is_bounded(before: bytes) -> None:
    """A body that does not come is dropped after its time, also that of a second request."""
    async with house(request_s=0.4) as here:
        reader, writer = await here.call()
        if before:
            writer.write(before)
            await reader.readuntil(b"<p>")
        writer.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12")
        with capture_logs() as lines:
            with suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()
            await eventually(lambda: here.door.overdue[Overdue.REQUEST] == 1)
            await eventually(lambda: not here.door.porch)
        assert not lines


async def test_a_later_body_has_its_own_time() -> None:
    """Who asks again shortly before an idle connection ends has the whole time for the body."""
    async with house(request_s=0.6) as here:
        reader, writer = await here.call()
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"<p>")
        await asyncio.sleep(0.4)  # the time itself is what is tested
        writer.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12")
        await asyncio.sleep(0.4)
        writer.write(b"345")
        assert (await reader.readuntil(b"\r\n\r\n5")).startswith(b"HTTP/1.1 200 ")
        writer.close()


async def test_an_answer_may_take_its_time() -> None:
    """A request that is complete is not pending, however long its answer takes."""
    async with house(request_s=0.2) as here:
        reader, writer = await here.call()
        writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await asyncio.wait_for(reader.readuntil(b"done"), 5)).startswith(b"HTTP/1.1 200 ")
        assert sum(here.door.overdue.values()) == 0
        writer.close()


async def test_an_answer_that_nobody_reads_is_bounded() -> None:
    """A client that does not take its answer is dropped after the time of a request, whether it stays or not."""
    async with house(request_s=0.3) as here:
        for end in (b"", b"Connection: close\r\n"):
            reader, writer = await here.call()
            writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n" + end + b"\r\n")
            await eventually(lambda: here.door.porch)
            await eventually(lambda: not here.door.porch)
            with suppress(ConnectionResetError):
                assert len(await asyncio.wait_for(reader.read(), 5)) < LARGE
            writer.close()
        assert here.door.overdue[Overdue.IDLE] == 2


async def test_a_body_in_time_is_read() -> None:
    """A body in two parts arrives whole, and the connection goes on."""
    async with house() as here:
        reader, writer = await here.call()
        for _ in range(2):
            writer.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12")
            await eventually(lambda: len(here.door.porch) == 1)
            writer.write(b"345")
            assert (await reader.readuntil(b"\r\n\r\n5")).startswith(b"HTTP/1.1 200 ")
            assert len(here.door.porch) == 1
        writer.close()
        await eventually(lambda: not here.door.porch)


async def test_an_idle_connection_is_pending() -> None:
    """Between two requests a connection is one of those who wait, and dropped where they are too many."""
    async with house(most=2) as here:
        idle = []
        for _ in range(3):
            idle.append(await here.call())
            idle[-1][1].write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await idle[-1][0].readuntil(b"<p>")
        with suppress(ConnectionResetError):
            assert await asyncio.wait_for(idle[0][0].read(), 5) == b""
        assert here.door.overdue[Overdue.CROWDED] == 1
        for reader, writer in idle[1:]:
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readuntil(b"<p>")
        for _, writer in idle:
            writer.close()


async def test_a_later_head_is_bounded() -> None:
    """A second request that comes a byte at a time does not keep its connection longer than an idle one."""
    async with house(request_s=0.3) as here:
        reader, writer = await here.call()
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"<p>")
        began = asyncio.get_running_loop().time()
        while not reader.at_eof() and reader.exception() is None:
            writer.write(b"G")
            await asyncio.sleep(0.01)
            assert asyncio.get_running_loop().time() - began < 3
        writer.close()


async def test_a_large_body_is_not_read_for_long() -> None:
    """Who goes on with a body that was refused is cut off soon after the answer."""
    async with house() as here:
        reader, writer = await here.call()
        writer.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\n")
        began = asyncio.get_running_loop().time()
        while not writer.is_closing() and not reader.at_eof():
            writer.write(b"x" * 1_000)
            await asyncio.sleep(0.01)
            assert asyncio.get_running_loop().time() - began < LINGER_S + 3
        writer.close()
        await eventually(lambda: not here.door.porch)


async def test_an_upgraded_connection_is_not_pending() -> None:
    """A connection that a wire took over is not counted among those who wait, whatever it says."""
    async with house(first_byte_s=0.2, request_s=0.3) as here:
        reader, writer = await here.call()
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        assert not here.door.porch
        writer.write(b"x" * 200_000)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.6)
        assert sum(here.door.overdue.values()) == 0
        writer.close()


async def test_headers_without_end_are_bounded() -> None:
    """Who sends over 64 KiB of a request that does not end is dropped or refused long before its time."""
    async with house() as here:
        reader, writer = await here.call()
        writer.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"x" * 100_000)
        await asyncio.wait_for(reader.read(), 5)
        writer.close()
        await eventually(lambda: not here.door.porch)
