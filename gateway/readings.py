"""What the feed and the sessions know of themselves, as metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import TypeVar

from gateway.admission.census import Census
from gateway.admission.porch import Overdue
from gateway.candles.tally import CandleStanding, CandleTally
from gateway.doorway import Doorway
from gateway.feed import FeedStats
from gateway.frames import Status
from gateway.metrics import Reading
from gateway.standing import Standing
from gateway.tally import Tally
from gateway.tls import Certificate, Renewal
from gateway.wires.sse.figures import Figures

K = TypeVar("K", bound=StrEnum)


def door_readings(doors: Sequence[Doorway], cert: Certificate | None) -> Iterator[Reading]:
    """Yield what metrics show of the doorway, of which there is none at the very start, and of its certificate."""
    overdue = sum((door.overdue for door in doors), Counter(dict.fromkeys(Overdue, 0)))
    yield _counter("accepted", "Connections accepted.", sum(door.accepted for door in doors))
    yield _counter(
        "accept_exhausted",
        "Times that nobody could be accepted for want of a file descriptor.",
        sum(door.exhausted for door in doors),
    )
    yield _counter("tls_unfinished", "TLS handshakes that failed.", sum(door.unfinished for door in doors))
    yield _gauge(
        "connections_pending",
        "Connections without a complete request, in their TLS handshake too.",
        sum(len(door.porch) for door in doors),
    )
    yield Reading(
        "pending_dropped",
        "Connections dropped before their request was complete.",
        "counter",
        "reason",
        [(reason.value, overdue[reason]) for reason in Overdue],
    )
    yield _counter("requests_garbled", "Requests that were none.", sum(door.garbled for door in doors))
    yield _counter(
        "requests_oversized", "Requests with too long a header or body.", sum(door.oversized for door in doors)
    )
    yield Reading(
        "certificate_not_after_seconds",
        "Until when the certificate is valid, since 1970.",
        "gauge",
        None,
        [] if cert is None else [("", cert.not_after)],
    )
    yield Reading(
        "certificate_renewals",
        "Changes of the certificate's files, by what became of them.",
        "counter",
        "result",
        [(result.value, 0 if cert is None else cert.renewals[result]) for result in Renewal],
    )


def census_readings(census: Census) -> Iterator[Reading]:
    """Yield what metrics show of those who are connected."""
    yield _gauge("addresses", "Addresses (of IPv6: /64s) with connections.", census.addresses)
    yield _gauge("subjects", "Subjects with connections.", census.subjects)
    yield _gauge("addresses_remembered", "Addresses whose last handshakes are remembered.", census.buckets)


def feed_readings(stats: FeedStats, status: Mapping[str, Status]) -> Iterator[Reading]:
    """Yield what metrics show of the feed."""
    yield _gauge("feed_connected", "1 while connected to the broker.", stats.connected)
    yield _gauge("feed_shards_live", "Shards whose heartbeats come.", sum(s.live for s in status.values()))
    yield _gauge(
        "feed_shards_stale", "Shards without a heartbeat for 3 s.", sum(not s.live for s in status.values())
    )
    if stats.heartbeat_age is not None:
        yield _gauge("feed_age_seconds", "Time since the last heartbeat of any shard.", stats.heartbeat_age)
    if stats.clock_offset is not None:
        yield _gauge(
            "feed_clock_offset_seconds",
            "Least time from a heartbeat's own to its arrival in the last 30 to 60 s, of the shard that is "
            "furthest off; below 0: our clock is behind the producer's.",
            stats.clock_offset,
        )
    yield from _standing(stats.standing)
    yield _gauge("subscriptions", "Symbols followed, summed over clients.", stats.followers)
    yield _gauge("directory_symbols", "Symbols in the directory.", stats.symbols)
    yield _gauge("feed_intents", "Requests to broker and history under way or waiting.", stats.intents)
    yield Reading("symbol_lines", "Symbols by the state of their queue.", "gauge", "state", _reasons(stats.lines))
    yield _counter("messages_received", "Messages with ticks that came from the broker.", stats.messages)
    yield _counter("ticks_received", "Ticks that came from the broker.", stats.ticks)
    yield _counter("messages_malformed", "Messages that no codec of ours wrote, skipped.", stats.malformed)
    yield _counter("lines_ended", "Symbols whose flow the broker ended.", stats.unfollowed)
    yield Reading("feed_lost", "Broker connections ended or not made.", "counter", "reason", _reasons(stats.lost))
    yield _counter("transitions", "Symbols bound or unbound at the broker, asked for.", stats.passage.made)
    yield _counter("transitions_delayed", "Of them, those that had to wait.", stats.passage.delayed)
    yield _counter("transitions_waited_seconds", "Time that they waited, in all.", stats.passage.waited)
    yield from _tally(stats.tally)
    yield from _candles(stats.candles, stats.candle_tally)


def stream_readings(streams: Figures) -> Iterator[Reading]:
    """Yield what metrics show of the streams of Server-Sent Events."""
    yield _gauge("sse_connections", "Clients of `/v1/sse`, of those connected.", streams.connections)
    yield Reading(
        "sse_resumes",
        "Streams begun, by what became of their clients' positions (the header `Tickwire-Resumed`).",
        "counter",
        "outcome",
        streams.outcomes(),
    )
    yield _counter("sse_late", "Streams begun before all was known of their positions.", streams.late)
    yield _counter("sse_put_off", "Symbols of streams asked for again: the feed did not answer.", streams.put_off)
    yield _counter("sse_events", "Events written to streams.", streams.events)
    yield _counter("sse_writes", "Writes to streams, each with all events that waited.", streams.writes)
    yield _counter("sse_bytes", "Bytes written to streams, without the heads of their answers.", streams.bytes)


def _standing(standing: Standing) -> Iterator[Reading]:
    yield _gauge(
        "clients_conflating",
        "Clients that get only what is newest, of one symbol or more: they asked for it, or are slow.",
        standing.conflating,
    )
    yield _gauge("clients_slow", "Clients that get only what is newest since they do not keep up.", standing.slow)
    yield _gauge("clients_behind", "Clients that wait for ticks that they lack.", standing.behind)
    yield _gauge(
        "ring_ticks", "Ticks kept for clients that are or fall behind, of all symbols.", standing.ring_ticks
    )
    yield _gauge("ring_bytes", "Bytes of the ticks kept for clients that are or fall behind.", standing.ring_bytes)


def _tally(tally: Tally) -> Iterator[Reading]:
    yield _counter("ticks_repeated", "Live ticks that had come before, dropped.", tally.repeated)
    yield _counter("ticks_fenced", "Live ticks of an earlier epoch, dropped.", tally.fenced)
    yield _counter("feed_holes", "Times that a live tick was not the next one.", tally.holes)
    yield _counter("history_questions", "Questions put to history.", tally.questions)
    yield _counter("ticks_repaired", "Ticks that clients got from history.", tally.repaired)
    yield _counter("ticks_replayed", "Ticks of the past that clients resumed for.", tally.replayed)
    yield _counter("replays_refused", "Replays beyond what one client may ask for.", tally.refused)
    yield _counter("snapshots", "Snapshots said.", tally.snapshots)
    yield _counter("ticks_conflated", "Ticks that clients were told to be skipped.", tally.conflated)
    yield _counter("epochs", "Changes of epoch said.", tally.epochs)
    yield _counter("rebinds", "Symbols bound again because their queue was silent.", tally.rebinds)
    yield Reading(
        "rejections", "Symbols of subscribe commands rejected.", "counter", "reason", _reasons(tally.rejections)
    )
    yield Reading("gaps", "Gaps said, by reason.", "counter", "reason", _reasons(tally.gaps))
    yield Reading(
        "ticks_missing", "Ticks in gaps whose end is known.", "counter", "reason", _reasons(tally.missing)
    )


def _candles(standing: CandleStanding, tally: CandleTally) -> Iterator[Reading]:
    yield _gauge("candles_charts", "Symbols and intervals whose candles are followed.", standing.charts)
    yield _gauge("candles_alone", "Of these, those that go on without history.", standing.alone)
    yield _gauge("candles_waiting", "Of these, those that wait for history's answer.", standing.waiting)
    yield _gauge("candles_subscriptions", "Candles followed, summed over clients.", standing.viewers)
    yield _gauge("candles_rows", "Candles kept for clients.", standing.rows)
    yield _gauge("candles_bytes", "Bytes of the finished candles kept.", standing.bytes)
    yield _counter("candles_questions", "Questions about candles put to history.", tally.questions)
    yield _counter("candles_unanswered", "Of these, those without a usable answer in time.", tally.unanswered)
    yield _counter("candles_frames", "Frames of candles said.", tally.frames)
    yield _counter("candles_said", "Candles in them.", tally.rows)
    yield _counter(
        "candles_withheld", "Updates that a full socket put off: it gets the last state later.", tally.withheld
    )
    yield Reading(
        "candles_resets",
        "Times that candles were begun: by a subscription, or again for all who follow them.",
        "counter",
        "reason",
        _reasons(tally.resets),
    )


def _reasons(counts: Mapping[K, int]) -> Iterable[tuple[str, float]]:
    return [(reason.value, count) for reason, count in counts.items()]


def _gauge(name: str, meaning: str, value: float) -> Reading:
    return Reading(name, meaning, "gauge", None, [("", value)])


def _counter(name: str, meaning: str, value: float) -> Reading:
    return Reading(name, meaning, "counter", None, [("", value)])
