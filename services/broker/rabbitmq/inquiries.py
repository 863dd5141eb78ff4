"""Which questions are on their way to history, and whether anybody there answers (PURE)."""

from __future__ import annotations

from itertools import islice
from typing import Final, NamedTuple

from services.broker.history import ABSENT_S
from services.broker.rpc import QUESTIONS, Asked, Reply, Request, Told

IN_FLIGHT: Final = 10_000
"""Most different questions that wait for an answer; who asks more is refused at once."""
DOUBT_S: Final = 1.0
"""A request unanswered for so long is followed by probes, one per second, until a reply comes."""


class Settled(NamedTuple):
    """What a reply settles."""

    told: tuple[Told, ...]
    """The answers that somebody waits for."""
    seconds: float | None
    """Since the request; None: nobody waits for this reply any more, or for any of its answers."""


class Inquiries:
    """Questions from being asked to their answer or their end; the same question is on its way once."""

    def __init__(self) -> None:
        self._unsent: dict[Asked, None] = {}
        self._open: dict[int, tuple[float, set[Asked]]] = {}
        """By the request's number: when it was made, and what of it is not answered."""
        self._waiting = 0
        self._number = 0

    def __len__(self) -> int:
        return len(self._unsent) + self._waiting

    @property
    def full(self) -> bool:
        """Whether nothing more may be asked."""
        return len(self) >= IN_FLIGHT

    def add(self, question: Asked) -> None:
        """Note a *question* that is not on its way; it travels with the next `requests`."""
        self._unsent[question] = None

    def requests(self, reply_to: str, now: float) -> list[Request]:
        """Return requests for what was added since the last call."""
        made = list[Request]()
        unsent = iter(self._unsent)
        while part := tuple(islice(unsent, QUESTIONS)):
            made.append(self._request(reply_to, part, now))
        self._unsent.clear()
        return made

    def probe(self, reply_to: str, now: float) -> Request:
        """Return a request without a question."""
        return self._request(reply_to, (), now)

    def settle(self, reply: Reply, now: float) -> Settled:
        """Take a reply; a question answered is not on its way any more."""
        since, missing = self._open.get(reply.number, (None, set[Asked]()))
        if since is None:
            return Settled((), None)
        told = tuple(answer for answer in reply.told if answer.question in missing)
        if reply.told and not told:
            return Settled((), None)
        missing.difference_update(answer.question for answer in told)
        self._waiting -= len(told)
        if not missing:
            del self._open[reply.number]
        return Settled(told, now - since)

    def expire(self, number: int) -> set[Asked]:
        """Give up the request *number* and return its questions without an answer."""
        _, missing = self._open.pop(number, (0.0, set[Asked]()))
        self._waiting -= len(missing)
        return missing

    def clear(self) -> None:
        """Give everything up."""
        self._unsent.clear()
        self._open.clear()
        self._waiting = 0

    def _request(self, reply_to: str, asked: tuple[Asked, ...], now: float) -> Request:
        self._number += 1
        self._open[self._number] = (now, set(asked))
        self._waiting += len(asked)
        return Request(reply_to, self._number, asked)


class Presence:
    """Whether history counts as present: until it has left what it was asked unanswered for `ABSENT_S`.

    Only time in which it could be asked counts: without a connection, or while the broker reads nothing, the clock
    stands at 0.  Absent, it stays so until a reply comes, across connections too.
    """

    def __init__(self) -> None:
        self._since: float | None = None
        self._absent = False

    def present(self, now: float) -> bool:
        """Return whether anybody answers, as far as is known."""
        if self._since is not None and now - self._since >= ABSENT_S:
            self._absent = True
        return not self._absent

    def asked(self, now: float) -> None:
        """A request was written."""
        if self._since is None:
            self._since = now

    def answered(self) -> None:
        """A reply came, even a late one."""
        self._since, self._absent = None, False

    def interrupted(self, now: float) -> None:
        """Nobody can be asked: the connection is gone, or nothing is read from it."""
        self.present(now)
        self._since = None

    def doubted(self, now: float) -> bool:
        """Return whether it is time to probe, where that is asked once a second."""
        return self._absent or (self._since is not None and now - self._since >= DOUBT_S)
