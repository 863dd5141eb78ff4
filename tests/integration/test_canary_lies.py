"""The canary against gateways that lie, by script."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Final

import pytest
from structlog.testing import capture_logs

from scripted import Peer, frame, gateway, snapshot, subscribed, tick, ticks, welcome
from services.runtime.clock import SystemClock
from tests.canaries import canary
from tests.eventually import eventually
from tickwire.canary.app import LOGGED
from tickwire.canary.observer import Observer
from tickwire.canary.reason import Reason
from tickwire.canary.verdict import Rule
from tickwire.canary.visitor import Visitor
from tickwire.watch import Target

AHEAD_S: Final = 2.0


GAP: Final = {"symbol": "AAPL", "epoch": 7, "first": 6, "last": 6, "reason": "lost"}
LIES: Final[Mapping[str, list[str]]] = {
    "hole": [ticks(tick("AAPL", 7))],
    "repeated": [ticks(tick("AAPL", 5))],
    "skipped": [ticks(tick("AAPL", 9, skipped=1))],
    "gap": [frame("gap", **{**GAP, "first": 8, "last": 9})],
    "epoch": [frame("epoch", symbol="AAPL", epoch=6)],
    "reason": [frame("gap", **{**GAP, "reason": "tired"})],
    "snapshot": [snapshot(7, tick("AAPL", 6))],
    "backwards": [frame("gap", **{**GAP, "last": None}), snapshot(7, tick("AAPL", 4))],
    "no_cursor": [frame("gap", **{**GAP, "last": None}), ticks(tick("AAPL", 6))],
    "not_subscribed": [ticks(tick("MSFT", 1))],
    "changed": [subscribed(1, {}, AAPL=(7, 3))],
    "welcome": [welcome()],
    "malformed": ["{"],
}


@pytest.mark.parametrize("rule", LIES)
async def test_lies(rule: str) -> None:
    """Whatever a gateway does that the promise forbids is counted under its rule, and logged with its place."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        if peer.number == 1:
            await peer.serve(snapshot(7, tick("AAPL", 5)), *LIES[rule], AAPL=None)
        await peer.gone()

    with capture_logs() as logs:
        async with gateway(script) as url, canary(url, "AAPL") as here:
            await here.until(lambda: here.violations)
            assert here.violations == {rule: 1}
    [said] = [one for one in logs if one["event"] == "canary.violation"]
    assert (said["rule"], said["log_level"], said["connection"], said["session"]) == (rule, "error", 1, "x")
    assert said["frame"] - len(LIES[rule]) in {3, 4}  # a pong may have come before `subscribed`


async def test_resumed_elsewhere() -> None:
    """A gateway that goes on elsewhere than where the last connection ended breaks the promise."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        if peer.number == 1:
            await peer.serve(snapshot(7, tick("AAPL", 5)), AAPL=None)
            await peer.socket.close(1012)
        else:
            await peer.serve(ticks(tick("AAPL", 10)), AAPL=(7, 9))
            await peer.gone()

    async with gateway(script) as url, canary(url, "AAPL") as here:
        await here.until(lambda: here.violations)
        assert here.violations == {"wrong_position": 1}
        assert here.figure("reconnects_total", reason="restart") == 1


async def test_visits() -> None:
    """While the canary is connected another client tries to come in: its handshakes and failures are counted."""
    refused = False

    async def script(peer: Peer) -> None:
        if refused and peer.number > 1:
            await peer.socket.close(4503)
            return
        await peer.say(welcome())
        if peer.number == 1:
            await peer.serve(snapshot(7, tick("AAPL", 5)), AAPL=None)
        await peer.gone()

    with capture_logs() as logs:
        async with gateway(script) as url, canary(url, "AAPL", visit_s=0.05) as here:
            await here.until(lambda: here.figure("visits_total", result="ok") > 2)
            assert here.figure("handshake_seconds_count") > 3
            refused = True
            await here.until(lambda: here.figure("visits_total", result="refused") > 2)
            assert here.figure("connected") == 1
            assert here.figure("reconnects_total", reason="refused") == 0
            refused = False
            visits = here.figure("visits_total", result="ok")
            await here.until(lambda: here.figure("visits_total", result="ok") > visits)
    assert [one["reason"] for one in logs if one["event"] == "canary.visit_failed"] == ["refused"]


async def test_nobody_to_visit() -> None:
    """A visit that no gateway answers is counted for why the last attempt failed."""
    observer = Observer(["AAPL"], 0.0)
    visitor = Visitor(Target("ws://127.0.0.1:1/v1/stream"), observer, SystemClock(), visit_s=0.0, patience_s=0.2)

    visiting = asyncio.create_task(visitor.run())
    await eventually(lambda: observer.visits[Reason.UNREACHABLE], deadline=20)
    visiting.cancel()

    assert observer.visits[None] == 0


async def test_resumes_after_a_refusal() -> None:
    """What ends the client does not end the canary: it comes back as a new client, from its own cursors."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        if peer.number == 1:
            await peer.serve(snapshot(7, tick("AAPL", 5)), AAPL=None)
            await peer.socket.close(4503)
        else:
            command = await peer.serve(ticks(tick("AAPL", 6)), AAPL=(7, 5))
            assert command["resume"] == {"AAPL": {"epoch": 7, "seq": 5}}
            await peer.gone()

    async with gateway(script) as url, canary(url, "AAPL") as here:
        await here.until(lambda: here.figure("ticks_total", outcome="delivered") == 2)
        assert here.figure("reconnects_total", reason="refused") == 1
        assert here.violations == {}


async def test_every_rule_is_lied_about() -> None:
    """No rule is without a gateway above that breaks it."""
    assert LIES.keys() | {"wrong_position"} == {rule.value for rule in Rule}


async def test_many_lies() -> None:
    """Of many violations on one connection 20 are logged, and all are counted."""

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        await peer.serve(snapshot(7, tick("AAPL", 5)), *[ticks(tick("AAPL", 5))] * 50, AAPL=None)
        await peer.gone()

    with capture_logs() as logs:
        async with gateway(script) as url, canary(url, "AAPL") as here:
            await here.until(lambda: here.violations == {"repeated": 50})
    assert [one["event"] for one in logs].count("canary.violation") == LOGGED


async def test_a_clock_that_is_ahead() -> None:
    """A gateway whose clock is 2 s ahead is found out by ping: latencies are those of one clock."""
    trips: list[float] = []

    def now_us() -> int:
        return time.time_ns() // 1000 + round(AHEAD_S * 1e6)

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        seq, begun = 5, False
        while True:
            body = json.loads(await peer.socket.recv())
            if body["op"] == "ping":
                await peer.say(frame("pong", id=body["id"], server_time=now_us()))
                trips.append(time.monotonic())
                if begun:
                    seq += 1
                    await peer.say(ticks(_at(seq, now_us()), sent=now_us()))
            else:
                begun = True
                await peer.say(subscribed(body["id"], {}, AAPL=None), snapshot(7, _at(seq, now_us())))

    async with gateway(script) as url, canary(url, "AAPL") as here:
        await here.until(lambda: here.figure("round_trip_seconds_count") >= 4)
        error = abs(here.figure("clock_offset_seconds") - AHEAD_S)
        assert error <= here.figure("round_trip_seconds_sum")
        await here.until(lambda: here.figure("latency_seconds_count", stage="total") >= 2)
        assert here.figure("latency_seconds_sum", stage="total") < AHEAD_S
        assert here.violations == {}


def _at(seq: int, ts: int) -> str:
    return tick("AAPL", seq).replace('"ts":1000000', f'"ts":{ts}')


async def test_rejected_symbol() -> None:
    """A symbol that nobody knows is rejected, logged once and asked for again; the others are served meanwhile."""
    asked: list[list[str]] = []

    async def script(peer: Peer) -> None:
        await peer.say(welcome())
        while len(asked) < 5:
            command = await peer.command()
            asked.append(command["symbols"])
            known = {"ZZZZ": None} if len(asked) > 4 else {}
            rejected = {} if known else {"ZZZZ": "unknown_symbol"}
            if len(asked) == 1:
                known["AAPL"] = None
            await peer.say(
                subscribed(command["id"], rejected, **known), *(snapshot(7, tick(one, 1)) for one in known)
            )
        await peer.gone()

    with capture_logs() as logs:
        async with gateway(script) as url, canary(url, "AAPL", "ZZZZ") as here:
            await here.until(lambda: here.figure("symbols", state="rejected") and len(asked) > 2)
            assert await here.ask("/readyz") == (503, "symbols rejected: 1\n")
            await here.until(lambda: here.figure("symbols", state="followed") == 2)
            assert await here.ask("/readyz") == (200, "ready\n")
            assert here.violations == {}
    assert len([one for one in logs if one["event"] == "canary.symbol_rejected"]) == 1
    assert asked == [["AAPL", "ZZZZ"], *[["ZZZZ"]] * 4]
