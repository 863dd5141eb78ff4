"""What the feed knows of itself, as metrics."""

from __future__ import annotations

import dataclasses

from prometheus_client import CollectorRegistry, generate_latest

from gateway.candles.tally import CandleStanding, CandleTally, Reset
from gateway.counters import Counters
from gateway.feed import FeedStats
from gateway.frames import GapReason, Rejection, Status
from gateway.line import Stage
from gateway.metrics import GatewayCollector
from gateway.readings import feed_readings
from gateway.standing import Standing
from gateway.tally import Tally
from gateway.turnstile import Passage
from services.broker.ports import LostReason

STATS = FeedStats(
    connected=True,
    lost=dict.fromkeys(LostReason, 0),
    messages=5,
    ticks=50,
    malformed=1,
    unfollowed=2,
    clients=3,
    followers=30,
    lines=dict.fromkeys(Stage, 4),
    symbols=100,
    heartbeat_age=0.25,
    intents=6,
    passage=Passage(made=11, delayed=12, waited=1.5),
    tally=Tally(repeated=7, conflated=8, gaps=dict.fromkeys(GapReason, 9)),
    standing=Standing(conflating=13, slow=14, behind=15, ring_ticks=16, ring_bytes=17),
    clock_offset=-0.125,
    candles=CandleStanding(charts=18, alone=19, waiting=20, viewers=21, rows=22, bytes=23),
    candle_tally=CandleTally(24, 25, 26, 27, 28, dict.fromkeys(Reset, 29)),
)


def exposed(stats: FeedStats, **status: Status) -> list[str]:
    """Return the exposition's lines."""
    registry = CollectorRegistry()
    GatewayCollector(Counters(), lambda: feed_readings(stats, status)).register(registry)
    return generate_latest(registry).decode().splitlines()


def test_everything_is_shown() -> None:
    """Gauges, counters and label sets of the feed all appear."""
    lines = exposed(STATS, us=Status(live=True, since=1, shard="us"), eu=Status(live=False, since=1, shard="eu"))
    for line in (
        "tickwire_feed_connected 1.0",
        "tickwire_feed_shards_live 1.0",
        "tickwire_feed_shards_stale 1.0",
        "tickwire_feed_age_seconds 0.25",
        "tickwire_subscriptions 30.0",
        "tickwire_directory_symbols 100.0",
        "tickwire_transitions_total 11.0",
        "tickwire_transitions_delayed_total 12.0",
        "tickwire_transitions_waited_seconds_total 1.5",
        "tickwire_ticks_received_total 50.0",
        "tickwire_candles_charts 18.0",
        "tickwire_candles_alone 19.0",
        "tickwire_candles_waiting 20.0",
        "tickwire_candles_subscriptions 21.0",
        "tickwire_candles_rows 22.0",
        "tickwire_candles_bytes 23.0",
        "tickwire_candles_questions_total 24.0",
        "tickwire_candles_unanswered_total 25.0",
        "tickwire_candles_frames_total 26.0",
        "tickwire_candles_said_total 27.0",
        "tickwire_candles_withheld_total 28.0",
        'tickwire_candles_resets_total{reason="hole"} 29.0',
        "tickwire_messages_malformed_total 1.0",
        "tickwire_ticks_repeated_total 7.0",
        "tickwire_ticks_conflated_total 8.0",
        'tickwire_gaps_total{reason="unavailable"} 9.0',
        "tickwire_clients_conflating 13.0",
        "tickwire_clients_slow 14.0",
        "tickwire_clients_behind 15.0",
        "tickwire_ring_ticks 16.0",
        "tickwire_ring_bytes 17.0",
        "tickwire_feed_clock_offset_seconds -0.125",
        *(f'tickwire_rejections_total{{reason="{reason.value}"}} 0.0' for reason in Rejection),
        *(f'tickwire_symbol_lines{{state="{stage.value}"}} 4.0' for stage in Stage),
        *(f'tickwire_feed_lost_total{{reason="{reason.value}"}} 0.0' for reason in LostReason),
    ):
        assert line in lines


def test_no_age_before_the_first_heartbeat() -> None:
    """A feed that never heard a heartbeat has no age, rather than a false zero."""
    lines = exposed(dataclasses.replace(STATS, heartbeat_age=None, clock_offset=None))
    assert not [line for line in lines if "feed_age" in line or "clock_offset" in line]
