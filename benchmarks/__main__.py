"""Runs the scenarios and writes their table.

    python -m benchmarks [--quick] [--only WORD …] [--peer NAME …] [--out FOLDER]

Starts a RabbitMQ of its own (or takes `TICKWIRE_TEST_AMQP_URL`), every server and the load on the loopback
interface of this machine, and writes `<date>.md` and `<date>.json` into FOLDER; where that is the usual one, the
two README files follow.  Scenarios run again on the same day replace their rows there.  What is compared with each
other belongs to one scenario, and so to one run; only the growth of costs over the rates is over several.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog
import uvloop

from benchmarks.aims import verdicts
from benchmarks.connections import idle, storm
from benchmarks.fanout import fan_out
from benchmarks.headline import update
from benchmarks.ingest import ingest
from benchmarks.machine import machine
from benchmarks.market import market
from benchmarks.publish import publish
from benchmarks.report import as_json, as_markdown, earlier, table
from benchmarks.row import Row, merged
from benchmarks.scenarios import (
    EVERYBODY,
    FULL,
    QUICK,
    FanOut,
    Idle,
    Ingest,
    Market,
    Publish,
    Scenario,
    Storm,
    chosen,
    with_peers,
)  # fmt: skip
from tests.brokers import Broker, find_broker

RESULTS: Final = Path(__file__).parent / "results"


async def measure(scenario: Scenario, broker: Broker, missing: list[str]) -> list[Row]:
    """Run one scenario."""
    match scenario:
        case FanOut():
            return await fan_out(scenario, broker, missing.append)
        case Market():
            return await market(scenario, broker)
        case Idle():
            return [await idle(scenario, broker)]
        case Storm():
            return await storm(scenario, broker)
        case Ingest():
            return await ingest(scenario, broker.url)
        case Publish():
            return await publish(scenario, broker)


def run(scenarios: Sequence[Scenario], missing: list[str]) -> list[Row]:
    """Run all on one broker, each on a loop of its own, and say what each has found."""
    rows: list[Row] = []
    broker = find_broker()
    try:
        for scenario in scenarios:
            began = time.monotonic()
            print(f"\n{scenario.name} …", flush=True)
            found = uvloop.run(measure(scenario, broker, missing))
            rows += found
            print(f"{table(found)}\n{time.monotonic() - began:.0f} s", flush=True)
    finally:
        broker.remove()
    return rows


def main() -> int:
    """Read the arguments, run, and write the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="everything once, in less than two minutes")
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="scenarios with WORD in their names")
    parser.add_argument("--peer", nargs="+", default=[], choices=EVERYBODY, help="take part in the fan-outs")
    parser.add_argument("--out", type=Path, default=RESULTS, help=f"folder for the table; default: {RESULTS}")
    given = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    # The broker's scheduler threads would otherwise be tuned by what else runs; Debian's node is ours to command.
    os.environ.setdefault("TICKWIRE_TEST_BROKER", "local")
    try:
        scenarios = with_peers(chosen(QUICK if given.quick else FULL, given.only), given.peer)
    except ValueError as error:
        parser.error(str(error))
    where, missing = machine(), list[str]()
    given.out.mkdir(parents=True, exist_ok=True)
    name = f"{where['date']}{'-quick' if given.quick else ''}"
    names = [scenario.name for scenario in (QUICK if given.quick else FULL)]
    rows = merged(names, earlier(given.out / f"{name}.json"), run(scenarios, missing))
    judged = verdicts(rows)
    for suffix, text in ((".md", as_markdown), (".json", as_json)):
        path = given.out / f"{name}{suffix}"
        path.write_text(text(where, rows, judged, missing))
        print(f"wrote {path}")
    if given.out == RESULTS and not given.quick:
        update(where, rows)
    for verdict in judged:
        print(
            f"{'reached' if verdict.reached else 'MISSED '}  {verdict.what}: {verdict.found} (aim {verdict.aim})"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
