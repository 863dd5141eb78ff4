"""Every query of every dashboard, asked of a real Prometheus that has scraped the running system for a minute."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio

from deploy.grafana.__main__ import dashboards
from tests.monitoring.load import Load
from tests.monitoring.prometheus import BadQuery, Prometheus
from tests.monitoring.questions import SHOWN_S, all_of, choices, questions
from tests.monitoring.stage import RABBITMQ_S, Stage

SETTLED_S: Final = SHOWN_S + RABBITMQ_S
"""Length of the load: then every window of every query is full."""
MOVED: Final = (
    "tickwire_slow_clients_total",
    'tickwire_evictions_total{reason="stuck"}',
    "tickwire_ticks_conflated_total",
    "max_over_time(tickwire_clients_buffered_bytes[5m])",
    'tickwire_tokens_refused_total{reason="unknown_key"}',
    'tickwire_commands_total{result!="ok"}',
    "tickwire_rejections_total",
    'tickwire_floods_total{of="commands"}',
    "tickwire_requests_garbled_total",
    "tickwire_tls_unfinished_total",
    "tickwire_ticks_replayed_total",
    "tickwire_broker_follow_seconds_count",
    "tickwire_canary_latency_seconds_count",
)
"""What a load of every kind of client makes larger than 0."""
DASHBOARDS: Final = {name: made for name, made in dashboards().items() if [*questions(made)]}
"""All but the runbook, which asks nothing."""

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(400)]


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="prometheus")
async def _prometheus(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Prometheus]:
    """A Prometheus that has watched the system under load for a minute and a quarter; the load goes on."""
    async with Stage(tmp_path_factory.mktemp("stage")) as stage, Load(stage):
        await asyncio.sleep(SETTLED_S)  # the load's length
        yield stage.prometheus


@pytest.mark.parametrize("name", DASHBOARDS)
async def test_queries(name: str, prometheus: Prometheus, figures: list[str]) -> None:
    """A dashboard's every query is answered, and at least one of its series has a number."""
    asked = list(questions(DASHBOARDS[name], await _chosen(name, prometheus)))
    silent = [f"{where}: {expression}" for where, expression in asked if not await _finite(prometheus, expression)]
    figures.append(f"dashboard {name}: {len(asked) - len(silent)} of {len(asked)} queries have a number")
    assert not silent, f"{len(silent)} of {len(asked)} queries show nothing:\n" + "\n".join(silent)


@pytest.mark.parametrize("name", DASHBOARDS)
async def test_variables(name: str, prometheus: Prometheus) -> None:
    """A dashboard's variables have values to choose from."""
    chosen = await _chosen(name, prometheus)
    assert chosen.keys() == {choice.name for choice in choices(DASHBOARDS[name])}
    assert "()" not in chosen.values(), chosen


@pytest.mark.parametrize("moved", MOVED)
async def test_the_load_moves_what_it_should(moved: str, prometheus: Prometheus) -> None:
    """Clients that are slow, stuck, refused, wrong, too fast or resuming show in the figures made for them."""
    assert await prometheus.query(f"sum({moved}) > 0"), moved


async def test_alerts_mark_the_graphs(prometheus: Prometheus) -> None:
    """The marks of firing alerts in a dashboard are PromQL."""
    for dashboard in DASHBOARDS.values():
        for annotation in dashboard["annotations"]["list"]:
            await prometheus.query(annotation["expr"])


@pytest.mark.parametrize("expression", ["tickwire_conections", "sum(rate(tickwire_gaps_total", "0 / 0"])
async def test_what_shows_nothing_is_found(expression: str, prometheus: Prometheus) -> None:
    """A metric that is misspelled, a query that is none, and one without a number are seen to show nothing."""
    assert not await _finite(prometheus, expression)


async def _chosen(name: str, prometheus: Prometheus) -> dict[str, str]:
    """Return what Grafana fills in for the variables of a dashboard, where all of their values are chosen."""
    found = {}
    for choice in choices(DASHBOARDS[name]):
        series = await prometheus.series(choice.selector)
        found[choice.name] = all_of({labels[choice.label] for labels in series if choice.label in labels})
    return found


async def _finite(prometheus: Prometheus, expression: str) -> bool:
    try:
        samples = await prometheus.query(expression)
    except BadQuery:
        return False
    return any(math.isfinite(sample.value) for sample in samples)
