"""What the figures should be, and whether they are.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks.row import Row

Find = Callable[[str, str], Row]
"""The row of a scenario and a name in it; LookupError: it was not run."""


class Verdict(NamedTuple):
    """One aim beside what was found."""

    what: str
    aim: str
    found: str
    reached: bool


def _cost(row: Row) -> float:
    assert row.cpu_us is not None
    return row.cpu_us


def _p99(row: Row) -> float:
    assert row.p99 is not None
    return row.p99


def _ratio(find: Find, scenario: str, other: str, most: float, what: str) -> Verdict:
    found = _cost(find(scenario, "Tickwire")) / _cost(find(scenario, other))
    return Verdict(
        f"{scenario}: CPU per delivery over that of {what}", f"≤ {most:.2f}", f"{found:.2f}", found <= most
    )


def _fan_out(find: Find) -> list[Callable[[], Verdict]]:
    one, often, batch = (
        "fan-out, one tick at a time",
        "fan-out, one tick at a time, 90 a second",
        "fan-out, 16 ticks a batch",
    )
    return [
        lambda: _ratio(find, one, "C send loop", 1.2, "the C loop"),
        lambda: _ratio(find, one, "nchan", 1.0, "nchan"),
        lambda: _ratio(find, one, "websockets.broadcast", 0.6, "`websockets.broadcast`"),
        lambda: _ratio(find, often, "C send loop", 1.2, "the C loop"),
        lambda: _ratio(find, often, "nchan", 1.0, "nchan"),
        lambda: _ratio(find, often, "websockets.broadcast", 0.6, "`websockets.broadcast`"),
        lambda: _ratio(find, batch, "C send loop", 1.25, "the C loop"),
        lambda: _ratio(find, batch, "NATS server", 1.0, "NATS"),
    ]


def _broker(find: Find) -> list[Callable[[], Verdict]]:
    def ingest() -> Verdict:
        found = _cost(find("ingest", "Tickwire, 15,000/s")) / _cost(find("ingest", "aio-pika, 15,000/s"))
        return Verdict("ingest: CPU per message over stock aio-pika's", "≤ 0.10", f"{found:.3f}", found <= 0.1)

    def publish(who: str) -> Verdict:
        ours, stock = find("publish", who), find("publish", "aio-pika")
        found, costs = ours.per_s / stock.per_s, _cost(stock) / _cost(ours)
        shown = f"{found:.1f} ({ours.per_s:,.0f} ticks/s), at 1/{costs:.1f} of the CPU per tick"
        return Verdict(f"publish: rate over stock aio-pika's ({who})", "≥ 8", shown, found >= 8)

    return [ingest, lambda: publish("Tickwire"), lambda: publish("Tickwire, 10 ticks a message")]


def _market(find: Find) -> list[Callable[[], Verdict]]:
    def served(name: str, who: str, most_ms: float, deliveries: int) -> Verdict:
        row = find(name, who)
        clean = not row.holes and not row.detail["generator"]["conflated"] and not row.detail["generator"]["gaps"]
        reached = _p99(row) <= most_ms and clean and row.per_s >= 0.97 * deliveries
        found = f"{row.per_s:,.0f}/s, p99 {_p99(row):.1f} ms, " + (
            "nothing conflated or missing" if clean else f"{row.note}"
        )
        return Verdict(f"{name} ({who})", f"{deliveries:,}/s, p99 ≤ {most_ms:.0f} ms, no hole", found, reached)

    def growth() -> Verdict:
        rates = ("1,000", "5,000", "20,000")
        costs = [_cost(find(f"market, {rate} ticks/s", "Tickwire")) for rate in rates]
        falls = costs[0] > costs[1] > costs[2]
        shown = " → ".join(f"{cost:.2f}" for cost in costs)
        return Verdict("CPU per delivery at 1,000 → 5,000 → 20,000 ticks/s", "falls", f"{shown} µs", falls)

    return [
        lambda: served("market, 5,000 ticks/s", "Tickwire", 15, 250_000),
        lambda: served("market, 20,000 ticks/s", "Tickwire", 100, 1_000_000),
        lambda: served("market, 20,000 ticks/s", "Tickwire, no log stream", 100, 1_000_000),
        lambda: served("market, 20,000 ticks/s", "Tickwire, 5 ms pacing", 100, 1_000_000),
        growth,
    ]


def _clients(find: Find) -> list[Callable[[], Verdict]]:
    def slow() -> Verdict:
        pair = [find("slow readers", who) for who in ("Tickwire", "Tickwire, 20 % of the clients read 1 KB/s")]
        found = _p99(pair[1]) / _p99(pair[0])
        shown = f"{found:.2f} ({_p99(pair[0]):.1f} → {_p99(pair[1]):.1f} ms)"
        return Verdict("20 % slow readers: the others' p99 over that without", "≤ 1.10", shown, found <= 1.1)

    def tls() -> Verdict:
        found = _cost(find("TLS in the gateway", "Tickwire, TLS")) / _cost(find("TLS in the gateway", "Tickwire"))
        return Verdict("TLS: CPU over that without", "≤ 1.30", f"{found:.2f}", found <= 1.3)

    def idle(name: str, most: float) -> Verdict:
        row = find(name, "Tickwire")
        assert row.memory_kb is not None
        share = row.detail["idle_cores"]
        reached = row.memory_kb <= most and share < 0.03
        found = f"{row.memory_kb:.1f} KB, {share:.1%} of a core"
        return Verdict(f"{name}: memory each, CPU", f"≤ {most:.0f} KB, < 3 %", found, reached)

    def storm() -> Verdict:
        pair = [find("5,000 connections at once", f"Tickwire, {who}") for who in ("before", "while they come")]
        found, served = _p99(pair[1]) / _p99(pair[0]), pair[1].detail.get("connected", 0)
        shown = f"{served:,} served; {found:.2f} ({_p99(pair[0]):.1f} → {_p99(pair[1]):.1f} ms)"
        return Verdict(
            "5,000 newcomers: the others' p99 over before", "all, < 3", shown, found < 3 and served == 5000
        )

    return [
        slow,
        lambda: idle("10,000 idle connections", 6),
        lambda: idle("10,000 idle connections, TLS", 30),
        storm,
        tls,
    ]


def verdicts(rows: Sequence[Row]) -> list[Verdict]:
    """Return a verdict for each aim whose scenarios were run."""
    by_name = {(row.scenario, row.who): row for row in rows}

    def find(scenario: str, who: str) -> Row:
        return by_name[scenario, who]

    found = []
    for aim in (*_fan_out(find), *_broker(find), *_market(find), *_clients(find)):
        try:
            found.append(aim())
        except KeyError:
            continue
    return found
