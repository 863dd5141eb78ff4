"""Between the ticks that are made and the sink that takes them: the thin shell around backlog and marks.

It publishes what the backlog lets through, tells the backlog what the broker answered, and says once a second
what was published.  While there is no connection, the broker is blocked, or the lease is not ours, ticks pile up
in the backlog only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

import structlog

from producer.backlog import Backlog
from producer.grouping import Parcel, parcels
from producer.marks import Marks
from producer.sources.source import Burst
from producer.traces import Traces
from services.broker.ports import NO_CONTEXTS, Contexts, LostReason, Outgoing, Route, TickSink
from services.errors import BrokerUnavailable
from services.market.control import Control, Heartbeat, encode_control
from services.market.directory import Instrument, split
from services.runtime.clock import Clock

DIRECTORY_EVERY: Final = 9
"""Most heartbeats from one telling of the directory to the next: a gateway's clients wait 10 s for the first one.

A directory of n parts (500 symbols each) is told every n + 1 heartbeats where that is less: a gateway that starts
after the producer has nothing to offer before (9.2 s measured), and 100 symbols are 15 KB.
"""

ANSWER_US: Final = 10_000_000
"""How long a message may be the oldest without an answer: 5,000 of them are answered in 0.3 s."""

_log = structlog.get_logger("tickwire.producer")


class Publisher:
    """The `SinkListener` of one producer."""

    def __init__(self, sink: TickSink, clock: Clock, shard: str, *, backlog: Backlog | None = None) -> None:
        self._sink, self._clock, self._shard = sink, clock, shard
        self.backlog = backlog or Backlog()
        self.connected = False
        self.blocked = False
        self.leads = True
        """Whether the lease is ours: nothing is published while it is not."""
        self.epoch = 0
        """Of this run; 0 before `begin`, and after `end`."""
        self.epochs = 0
        """Runs that were begun."""
        self.continued = 0
        """Symbols of the newest run that went on from the run before."""
        self.made = 0
        """Ticks that were offered."""
        self.heartbeats = 0
        self.heartbeats_left = 0
        """Heartbeats that no connection, or a blocked or busy one, could take."""
        self._marks = Marks(())
        self._directory: list[Outgoing] = []
        self._until_directory = 0
        self.traces: Traces | None = None
        """The spans of sampled ticks; None: nothing is traced."""
        self.unanswered = 0
        """Connections given up since a message on them was not answered."""
        self._conflating = self._told_lost = False
        self._settled = asyncio.Event()

    # --------------------------------------------------------------------------------- what the composition calls

    def begin(self, epoch: int, instruments: Sequence[Instrument]) -> None:
        """From now on ticks belong to *epoch*, and the directory holds *instruments*; its version is the epoch."""
        self.epoch = epoch
        self.epochs += 1
        self._marks = Marks(instrument.symbol for instrument in instruments)
        self._directory = [_control(part) for part in split(self._shard, epoch, instruments)]
        self._tell_directory()

    def end(self) -> None:
        """The run is over: publish nothing more of it."""
        self.epoch = 0
        self.backlog.discard()
        if self.traces is not None:
            self.traces.discard(self._clock.wall_us())
        self._notice()
        self._settled.set()

    def lead(self, *, leads: bool) -> None:
        """The lease is ours from now on, or is not: then ticks pile up in the backlog."""
        if leads is self.leads:
            return
        self.leads = leads
        if leads and self.epoch:
            self._marks.connected()
            self._flush()
            self.beat()

    def offer(self, bursts: Iterable[Burst]) -> None:
        """Publish *bursts*, now or when the broker takes them."""
        published, made = self._clock.wall_us(), self._now()
        for burst in bursts:
            self.made += len(burst.ticks)
            for parcel in parcels(burst, self.epoch, published, made):
                self.backlog.add(parcel)
        self._flush()

    def beat(self) -> None:
        """Send what is due once a second: heartbeat, directory, repeats of silent symbols' last ticks."""
        if not self.epoch:
            return
        self._check_answers()
        self._until_directory -= 1
        if self._until_directory <= 0:
            self._tell_directory()
        self._tell_marks()
        self._repeat()

    def farewell(self) -> None:
        """Tell all marks, so that whoever lacks a last tick asks for it after this process is gone."""
        if self.epoch:
            self._marks.connected()
            self._tell_marks()

    async def settled(self) -> None:
        """Return once the broker has answered for everything."""
        while self.backlog.unconfirmed or self.backlog.waiting:
            self._settled.clear()
            await self._settled.wait()

    # ---------------------------------------------------------------------------------------- what the sink calls

    def on_connected(self) -> None:
        """See `SinkListener`.  First everything that had no answer, then what waits, then marks and directory."""
        _log.info("producer.connected", unanswered_and_waiting=self.backlog.waiting)
        self.connected, self.blocked, self._told_lost = True, False, False
        self._marks.connected()
        self._flush()
        self._until_directory = 0
        self.beat()

    def on_lost(self, reason: LostReason) -> None:
        """See `SinkListener`."""
        self._lose()
        if not self._told_lost:  # once per outage, not once per attempt
            self._told_lost = True
            _log.warning("producer.disconnected", reason=reason.value, unanswered_and_waiting=self.backlog.waiting)

    def on_settled(self, number: int, *, multiple: bool, accepted: bool) -> None:
        """See `SinkListener`."""
        self.backlog.settle(number, self._now(), multiple=multiple, accepted=accepted)
        if self.traces is not None:
            self.traces.settle(number, self._clock.wall_us(), multiple=multiple, accepted=accepted)
        self._flush()
        if not self.backlog.unconfirmed:
            self._settled.set()

    def on_blocked(self, *, blocked: bool) -> None:
        """See `SinkListener`."""
        _log.warning("producer.blocked" if blocked else "producer.unblocked", waiting=self.backlog.waiting)
        self.blocked = blocked
        self._flush()

    # ----------------------------------------------------------------------------------------------------- inside

    @property
    def _open(self) -> bool:
        return self.connected and self.leads and not self.blocked

    def _flush(self) -> None:
        backlog = self.backlog
        if self._open and backlog.waiting:
            now = self._now()
            taken = backlog.take(now)
            if taken and self._write([parcel.message for parcel in taken], self._contexts(taken)):
                self._marks.note(taken, now)
        self._notice()

    def _contexts(self, taken: Sequence[Parcel]) -> Contexts:
        if self.traces is None:
            return NO_CONTEXTS
        return self.traces.hand_over(taken, self.backlog.number, self._clock.wall_us())

    def _notice(self) -> None:
        backlog = self.backlog
        if backlog.conflating != self._conflating:
            self._conflating = backlog.conflating
            _log.warning(
                "producer.conflating" if self._conflating else "producer.complete", lost=backlog.counts.lost
            )

    def _check_answers(self) -> None:
        """Give a connection up on which a message is not answered: on the next one it is published again."""
        if self._open and self.backlog.overdue(self._now()) >= ANSWER_US:
            self.unanswered += 1
            _log.warning("producer.unanswered", unconfirmed=self.backlog.unconfirmed)
            self._sink.reconnect()

    def _tell_directory(self) -> None:
        if len(self._spare(self._directory)) == len(self._directory):
            self._until_directory = min(DIRECTORY_EVERY, len(self._directory) + 1)

    def _tell_marks(self) -> None:
        marks, full = self._marks.beat(self._now())
        heartbeat = Heartbeat(
            shard=self._shard,
            epoch=self.epoch,
            time=self._clock.wall_us(),
            directory_version=self.epoch,
            marks=marks,
            full=full,
        )
        if self._spare([_control(heartbeat)]):
            self.heartbeats += 1
        else:
            self.heartbeats_left += 1

    def _repeat(self) -> None:
        silent: list[Parcel] = self._marks.repeats(self._now())
        sent = self._spare([parcel.message for parcel in silent])
        self._marks.repeated(silent[: len(sent)], self._now())

    def _spare(self, messages: list[Outgoing]) -> list[Outgoing]:
        """Send those of *messages* that the wire has room for, and return them; nothing is kept for later."""
        taken = self.backlog.spare(messages, self._now()) if self._open else []
        return taken if taken and self._write(taken) else []

    def _write(self, messages: list[Outgoing], contexts: Contexts = NO_CONTEXTS) -> bool:
        try:
            self._sink.publish(messages, contexts)
        except BrokerUnavailable:  # the sink knows before it could tell: `on_lost` follows, and says why
            self._lose()
            return False
        return True

    def _lose(self) -> None:
        self.connected = self.blocked = False
        self.backlog.disconnect()
        if self.traces is not None:
            self.traces.disconnect()

    def _now(self) -> int:
        return int(self._clock.monotonic() * 1e6)


def _control(message: Control) -> Outgoing:
    return Outgoing(Route.CONTROL, "", None, encode_control(message))
