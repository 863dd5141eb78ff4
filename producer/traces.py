"""The spans of the messages that were sampled, from their making to the broker's answer.  Pure.

A span begins when its message goes to the connection, as of the time when the message was made: what it waited in
the backlog is in it.  A message that is published again after a lost connection keeps its span and its context, so
the open spans are at most as many as the messages that the backlog has on the wire or publishes again.
"""

from __future__ import annotations

from collections.abc import Sequence

from producer.grouping import Parcel
from producer.sampling import Sampling
from services.broker.ports import NO_CONTEXTS, Contexts
from services.market.trace import Carrier, Outcome, Sending, Tracer

Name = tuple[str, str | None]
"""Symbol and identity of a message: two symbols may have the same position and time."""


class Traces:
    """The open spans of one producer; times are microseconds since 1970."""

    def __init__(self, tracer: Tracer, sampling: Sampling) -> None:
        self._tracer, self._sampling = tracer, sampling
        self._wire: dict[int, tuple[Name, Sending]] = {}
        """By the number of the message on this connection, ascending: its name and its span."""
        self._again: dict[Name, Sending] = {}
        """By the name of a message whose connection was lost."""
        self.sampled = 0
        """Messages whose spans were begun."""

    @property
    def open(self) -> int:
        """Spans whose messages have no answer yet."""
        return len(self._wire) + len(self._again)

    def hand_over(self, parcels: Sequence[Parcel], last: int, now: int) -> Contexts:
        """*parcels*, the last one of number *last*, go to the connection now; return the contexts of some."""
        contexts: dict[int, str] = {}
        first = last - len(parcels) + 1
        chosen = self._sampling.choose([parcel.length for parcel in parcels])
        if not chosen and not self._again:
            return NO_CONTEXTS
        for index in sorted({*chosen, *self._returning(parcels)}):
            sending = self._sending(parcels[index])
            if sending is None:
                continue
            sending.written(now)
            self._wire[first + index] = (_name(parcels[index]), sending)
            contexts[index] = sending.context
        return contexts or NO_CONTEXTS

    def settle(self, number: int, now: int, *, multiple: bool, accepted: bool) -> None:
        """The broker answered for message *number*, or for all up to it."""
        if not self._wire:
            return
        outcome = Outcome.CONFIRMED if accepted else Outcome.REFUSED
        for each in [n for n in self._wire if n <= number] if multiple else [number]:
            _, sending = self._wire.pop(each, (None, None))
            if sending is not None:
                sending.end(now, outcome)

    def disconnect(self) -> None:
        """The connection is gone: what had no answer is published again."""
        self._again |= dict(self._wire.values())
        self._wire.clear()

    def discard(self, now: int) -> None:
        """The run is over: no answer counts any more, and nothing is published again."""
        self.disconnect()
        for sending in self._again.values():
            sending.end(now, Outcome.LOST)
        self._again.clear()

    def _returning(self, parcels: Sequence[Parcel]) -> list[int]:
        return [index for index, parcel in enumerate(parcels) if _name(parcel) in self._again]

    def _sending(self, parcel: Parcel) -> Sending | None:
        """Return the span of *parcel*: the one that it has, or a new one."""
        returned = self._again.pop(_name(parcel), None)
        if returned is not None:
            return returned
        carrier = Carrier(
            symbol=parcel.symbol,
            epoch=parcel.epoch,
            first=parcel.first,
            ticks=parcel.length,
            published=parcel.published,
            size=len(parcel.message.body),
        )
        begun = self._tracer.send(carrier, parcel.published)
        self.sampled += begun is not None
        return begun


def _name(parcel: Parcel) -> Name:
    return parcel.symbol, parcel.message.identity
