"""The plan of docs/scaling.md, and what every plan must hold to."""

from __future__ import annotations

from dataclasses import fields, replace
from math import isclose
from pathlib import Path

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from benchmarks.plan import (
    PAGE,
    PLANS,
    Demand,
    Figures,
    Plan,
    between,
    clients_per_worker,
    plan,
    read_figures,
    table,
)
from benchmarks.queue_table import queue_table, read_rows

FIGURES = read_figures()
DEMANDS = st.builds(
    Demand,
    clients=st.integers(1, 5_000_000),
    symbols=st.integers(1, 10_000),
    ticks=st.floats(0, 50_000),
    each=st.integers(1, 100),
    deliveries=st.floats(0.1, 200),
    writes=st.floats(0.1, 20),
    busy=st.floats(0.3, 0.9),
    spare=st.floats(0, 1),
    cores=st.integers(1, 64),
    buckets=st.integers(0, 1_024),
    sharing=st.integers(1, 16),
).map(lambda demand: replace(demand, memory_gb=8.0 * demand.cores))
MORE = st.floats(1, 4)


def planned(demand: Demand, figures: Figures = FIGURES) -> Plan:
    """What *demand* takes, where a worker carries anybody at all."""
    try:
        return plan(figures, demand)
    except ValueError:
        reject()


@given(DEMANDS, MORE)
def test_more_clients_take_no_fewer_machines(demand: Demand, more: float) -> None:
    """More clients never take less of anything."""
    few = planned(demand)
    many = planned(replace(demand, clients=int(demand.clients * more)))
    for field in fields(Plan):
        assert getattr(many, field.name) >= getattr(few, field.name)
    assert many.cost >= few.cost


@given(DEMANDS, MORE, st.sampled_from(["ticks", "deliveries", "writes", "each", "spare"]))
def test_more_work_takes_no_fewer_workers(demand: Demand, more: float, what: str) -> None:
    """More of what a client or the market asks for never takes fewer workers, or lets one carry more clients."""
    value = getattr(demand, what)
    harder = replace(demand, **{what: type(value)(value * more)})
    assert planned(harder).workers >= planned(demand).workers
    assert clients_per_worker(FIGURES, harder) <= clients_per_worker(FIGURES, demand)


@given(DEMANDS, MORE, st.sampled_from(["write_us", "delivery_us", "ingest_us", "client_kb", "tape_kb"]))
def test_dearer_figures_take_no_fewer_workers(demand: Demand, more: float, what: str) -> None:
    """A figure that is measured larger never takes fewer workers."""
    dearer = replace(FIGURES, **{what: getattr(FIGURES, what) * more})
    assert planned(replace(demand, each=10), dearer).workers >= planned(replace(demand, each=10)).workers


@given(DEMANDS)
def test_workers_carry_everybody(demand: Demand) -> None:
    """All workers but the spare ones carry all clients, within the core and the memory that they have."""
    found = planned(demand)
    assert found.clients_per_worker * found.workers >= demand.clients * (1 + demand.spare) * 0.999
    assert found.machines * demand.cores >= found.workers
    client = min(demand.writes, demand.deliveries) * FIGURES.write_us + demand.deliveries * FIGURES.delivery_us
    read = demand.ticks * min(1.0, found.clients_per_worker * demand.each / demand.symbols) * FIGURES.ingest_us
    assert found.clients_per_worker * client + read <= demand.busy * 1e6 * 1.001


@given(DEMANDS, MORE)
def test_prices_are_linear(demand: Demand, more: float) -> None:
    """A price that rises raises its part of the cost by as much, and no other."""
    found = planned(demand)
    dearer = planned(replace(demand, per_tb=demand.per_tb * more))
    assert isclose(dearer.traffic_cost, found.traffic_cost * more)
    assert dearer.machine_cost == found.machine_cost
    dearer = planned(replace(demand, per_core=demand.per_core * more, per_gb=demand.per_gb * more))
    assert isclose(dearer.machine_cost, found.machine_cost * more)


@given(DEMANDS, st.integers(1, 1_024))
def test_buckets_bound_the_queues(demand: Demand, buckets: int) -> None:
    """With buckets a worker has at most K queues, never more than one per symbol, and as many bindings."""
    alone, shared = (planned(replace(demand, buckets=k)) for k in (0, buckets))
    assert shared.queues <= min(alone.queues, shared.workers * buckets)
    assert shared.bindings == alone.bindings == alone.queues


def test_a_worker_that_carries_nobody_is_named() -> None:
    """A demand that one worker cannot meet for one client is refused, and what stands in the way is said."""
    with pytest.raises(ValueError, match=r"cannot carry one client: by its core 0\.\d+"):
        plan(FIGURES, Demand(deliveries=1e7))
    with pytest.raises(ValueError, match=r"by memory -\d+"):
        plan(FIGURES, Demand(memory_gb=1))


def test_figures_are_all_there() -> None:
    """Every figure of the file is above 0."""
    assert all(getattr(FIGURES, field.name) > 0 for field in fields(Figures))


def test_the_page_shows_the_plans() -> None:
    """docs/scaling.md has the tables that the figures give; `python -m benchmarks.plan --write` renews them."""
    page = PAGE.read_text(encoding="utf-8")
    assert between(page, "plan", table(FIGURES, PLANS)) == page
    assert between(page, "queues", queue_table(read_rows())) == page


def test_marks_are_needed() -> None:
    """Where the marks are missing nothing is written."""
    assert between("a<!-- x -->\nold<!-- /x -->b", "x", "new\n") == "a<!-- x -->\nnew\n<!-- /x -->b"
    with pytest.raises(ValueError, match="no marks of 'y'"):
        between("a<!-- x -->\nold<!-- /x -->b", "y", "new")


def test_the_command_takes_every_parameter(tmp_path: Path) -> None:
    """A file of figures that lacks one, or has one too many, is refused by its name."""
    path = tmp_path / "figures.toml"
    path.write_text("[figures]\nwrite_us = 1\n")
    with pytest.raises(TypeError, match="delivery_us"):
        read_figures(path)
