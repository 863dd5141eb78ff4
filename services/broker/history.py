"""What history asks of a broker, and what is asked of history.

`History` is a gateway's (or a producer's) side: it asks.  `Desk` is the history process's side: it answers.
`TickLog` is what the history process reads.  The rules of `services.broker.ports` for callbacks hold here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from services.broker.ports import LostReason
from services.errors import HistoryUnavailable, MalformedMessage
from services.market.candle import Candle
from services.market.control import Control
from services.market.day import Day
from services.market.position import Position
from services.market.symbol import Symbol
from services.market.wire import TickMessage

PAGE_BYTES: Final = 64 * 1024
"""Most bytes of ticks in one answer; a longer one is cut and its *top* is its last tick."""
ANSWER_S: Final = 0.5
"""Longest wait for an answer; then the question is asked again."""
ABSENT_S: Final = 10.0
"""Without any answer for so long, while connected and asking, history counts as absent until it answers."""


# ------------------------------------------------------------------------------------------------------ asking


class Question(NamedTuple):
    """What follows *after* in the log?  None: only the last tick, and the day's figures."""

    symbol: Symbol
    after: Position | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What history knows of one symbol after a position.

    *ticks*: each position above the question's that history holds, ascending, with the tick's bytes; for `after`
    None at most the last one.  *top*: the largest position up to which this answer is complete (None: nothing
    read of this symbol).  *forgot*: the largest position that history had and dropped (None: none).  *day*: for
    `after` None the day up to *top*, where history knows it.
    """

    question: Question
    ticks: tuple[tuple[Position, bytes], ...]
    top: Position | None
    forgot: Position | None
    day: Day | None = None


class CandleQuestion(NamedTuple):
    """The newest *limit* candles of *symbol* with this *step* (seconds) that start at *since* (µs) or later?

    One answer has at most 500, however large *limit* is.
    """

    symbol: Symbol
    step: int
    since: int
    limit: int


class CandleAnswer(NamedTuple):
    """The candles asked for, oldest first, one for each time; the last one may still be growing.

    *top*: the candles count exactly the ticks up to this position (None: nothing read of this symbol, or nobody
    knows).  *clock*: a later tick whose time is before this one (µs, a whole second) counts as if it were at it:
    a candle that is finished is never opened again.  *partial*: the starts of those candles that may lack trades,
    since ticks of their time were not read or are not in the log.
    """

    question: CandleQuestion
    candles: tuple[Candle, ...]
    top: Position | None = None
    clock: int = 0
    partial: tuple[int, ...] = ()


class History(Protocol):
    """The log's memory, behind questions.  An answer may come from any earlier state of the log."""

    @property
    def present(self) -> bool:
        """Whether anybody answers; False lets gateways say `unavailable` without waiting."""
        ...

    async def run(self) -> None:
        """Keep the way to history open, for ever; ends by cancellation only."""
        ...

    async def ask(self, question: Question) -> Answer:
        """Return an answer.  Questions asked in the same turn of the loop travel together.

        Raises:
            HistoryUnavailable: nobody answered within `ANSWER_S`, or there is no connection.
        """
        ...

    async def candles(self, question: CandleQuestion) -> CandleAnswer:
        """Return an answer.

        Raises:
            HistoryUnavailable: as `ask`.
        """
        ...


class AbsentHistory:
    """No history at all."""

    present = False

    async def run(self) -> None:
        """There is nothing to keep open."""

    async def ask(self, question: Question) -> Answer:
        """Nobody answers."""
        raise HistoryUnavailable(f"there is no history to ask about {question.symbol}")

    async def candles(self, question: CandleQuestion) -> CandleAnswer:
        """Nobody answers."""
        raise HistoryUnavailable(f"there is no history to ask about {question.symbol}")


# --------------------------------------------------------------------------------------------------- answering


class Respondent(Protocol):
    """Who answers; neither method waits or raises."""

    def respond(self, question: Question) -> Answer:
        """Answer from what was read; at most `PAGE_BYTES` of ticks."""
        ...

    def candles(self, question: CandleQuestion) -> CandleAnswer:
        """Answer from what was read."""
        ...


class Desk(Protocol):
    """Where the questions of all gateways come in, each to one of the desks that are open.

    A desk that dies with a question unanswered leaves it to another one, or to the asker's next attempt.
    """

    async def run(self, respondent: Respondent) -> None:
        """Connect, answer while open, and reconnect for ever; ends by cancellation only.  Closed at first."""
        ...

    def open(self) -> None:
        """Take questions from now on, also after a reconnection.  Open already: no effect."""
        ...

    def close(self) -> None:
        """Take no more questions, until `open`; what was taken is answered."""
        ...


# ----------------------------------------------------------------------------------------------------- reading


class LogListener(Protocol):
    """Who reads the log."""

    def on_connected(self) -> None:
        """A connection stands; what is in the log comes next, from where reading ended before."""
        ...

    def on_lost(self, reason: LostReason) -> None:
        """The connection (or an attempt) is gone."""
        ...

    def on_ticks(self, messages: Sequence[TickMessage]) -> None:
        """Entries of the log that came together, in the log's order; repeats and older epochs among them."""
        ...

    def on_skipped(self) -> None:
        """Before ticks that do not follow those before: reading began (again) in the past, or the log was cut."""
        ...

    def on_candles(self, candles: Sequence[Candle]) -> None:
        """Finished candles of one minute from the candle log, perhaps our own or known already."""
        ...

    def on_control(self, message: Control) -> None:
        """A heartbeat or a part of the directory, as they are published."""
        ...

    def on_malformed(self, error: MalformedMessage) -> None:
        """An entry was skipped because no codec of ours wrote it."""
        ...


class TickLog(Protocol):
    """The log of ticks and the small one of finished candles, read from the past into the present."""

    async def run(self, listener: LogListener, *, keep_s: float) -> None:
        """Read ticks from *keep_s* seconds ago (or earlier) on and candles from their first, for ever.

        After a lost connection ticks go on after the last entry read.  Ends by cancellation only.
        """
        ...

    def store(self, candles: Sequence[Candle]) -> None:
        """Write finished candles to the candle log.

        Without a connection they are dropped: another replica writes them too, or they are made again from ticks.
        """
        ...

    def reread(self) -> None:
        """Begin again at *keep_s* seconds ago: the log was lost or made anew, and its offsets mean nothing."""
        ...
