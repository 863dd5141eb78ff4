"""The in-memory broker: what is published reaches the log, the followers and, if it is control, everybody."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final

from services.broker.history import Respondent
from services.broker.memory.admission import Drawer, MemoryAdmission, MemoryRevoker
from services.broker.memory.desk import MemoryDesk
from services.broker.memory.faults import Dice, Faults
from services.broker.memory.history import MemoryHistory
from services.broker.memory.lease import MemoryLease, Token
from services.broker.memory.link import Link
from services.broker.memory.log import Log
from services.broker.memory.queue import Item
from services.broker.memory.sink import MemorySink
from services.broker.memory.source import MemorySource
from services.broker.memory.ticklog import MemoryTickLog
from services.broker.ports import LostReason, Outgoing, Route
from services.broker.stubs import WAITING
from services.errors import MalformedMessage
from services.market.candle import Candle
from services.market.control import Control, decode_control
from services.market.symbol import Symbol
from services.market.wire import TickMessage, decode_message
from services.runtime.clock import Clock

REPEATABLE: Final = 16
"""How many of the newest messages may come again where `Faults.repeat` asks for it."""


class MemoryBroker:
    """A broker for one process and one event loop.

    Without *faults* everything published is delivered and confirmed in the loop's next turn.  Faults come from
    the dice (`Faults`), or from the methods below, which tests call.  *sleep* is how anything here waits.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        faults: Faults | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.clock, self.sleep = clock, sleep
        self.faults = faults or Faults()
        self.dice = Dice(self.faults.seed)
        self.log = Log()
        self.links: dict[Link, None] = {}
        """Whose connections stand, oldest first."""
        self.blocked = False
        self.confirms_held = False
        self.malformed = 0
        """Messages published that no codec of ours wrote."""
        self._down = False
        self._drawer = Drawer()
        self._leases: dict[str, Token] = {}
        self._turn = 0
        self._held_answers: list[asyncio.Future[None]] | None = None
        self._live_losses: Counter[str] = Counter()
        self._log_losses: Counter[str] = Counter()
        self._recent: deque[TickMessage] = deque(maxlen=REPEATABLE)

    # --------------------------------------------------------------------------------------------------- the ports

    def source(self, name: str) -> MemorySource:
        """A new `TickSource`, known to the methods below as *name*."""
        return MemorySource(self, name)

    def sink(self, name: str) -> MemorySink:
        """A new `TickSink`, known to the methods below as *name*."""
        return MemorySink(self, name)

    def lease(self, shard: str, name: str) -> MemoryLease:
        """A new `Lease` of *shard*, known to the methods below as *name*."""
        return MemoryLease(self, name, self._leases.setdefault(shard, Token()))

    def admission(self, name: str, most: int = WAITING) -> MemoryAdmission:
        """A new `Admission`, known to the methods below as *name*; *most*: tickets that may wait."""
        return MemoryAdmission(self, name, self._drawer, most)

    def revoker(self) -> MemoryRevoker:
        """A new `Revoker`."""
        return MemoryRevoker(self, self._drawer)

    def history(self) -> MemoryHistory:
        """A new `History`."""
        return MemoryHistory(self)

    def tick_log(self, name: str) -> MemoryTickLog:
        """A new `TickLog`, known to the methods below as *name*."""
        return MemoryTickLog(self, name)

    def desk(self, name: str) -> MemoryDesk:
        """A new `Desk`, known to the methods below as *name*."""
        return MemoryDesk(self, name)

    # ---------------------------------------------------------------------------------------------- faults by hand

    def end_connection(self, name: str, reason: LostReason = LostReason.BROKEN) -> None:
        """End the connections called *name*; they come back after a backoff."""
        for link in self._named(name):
            link.end(reason)

    def stop(self) -> None:
        """End every connection and refuse new ones until `start`.  The log survives."""
        self._down = True
        for link in list(self.links):
            link.end(LostReason.CLOSED)

    def start(self) -> None:
        """Accept connections again."""
        self._down = False

    def pause(self, name: str) -> None:
        """Source *name* reads nothing until `resume`: its queues fill, drop their oldest, and expire."""
        for source in self._sources(name):
            source.paused = True

    def resume(self, name: str) -> None:
        """Source *name* reads again, first what waited."""
        for source in self._sources(name):
            source.paused = False
            source.schedule()

    def pause_log(self, name: str) -> None:
        """Log *name* reads no ticks and no candles until `resume_log`; control messages still come."""
        for log in self._logs(name):
            log.paused = True

    def resume_log(self, name: str) -> None:
        """Log *name* reads again, from where it stopped."""
        for log in self._logs(name):
            log.paused = False
            log.schedule()

    def recreate_log(self) -> None:
        """Lose the log and make it anew: whoever reads it waits for numbers that mean nothing any more."""
        self.log.clear()

    def freeze(self, name: str) -> None:
        """Source *name* hears nothing more on this connection; only `probe` finds out."""
        for source in self._sources(name):
            source.frozen = True

    def drop_next(self, symbol: str, messages: int) -> None:
        """The next *messages* of *symbol* reach the log, but no follower."""
        self._live_losses[symbol] += messages

    def unlog_next(self, symbol: str, messages: int) -> None:
        """The next *messages* of *symbol* reach their followers, but not the log; they are refused."""
        self._log_losses[symbol] += messages

    def lose_next(self, symbol: str, messages: int) -> None:
        """The next *messages* of *symbol* reach nobody; they are refused."""
        self.drop_next(symbol, messages)
        self.unlog_next(symbol, messages)

    def mute(self, symbol: str) -> None:
        """Nobody gets *symbol* any more, without notice, until `rebind`."""
        for source in self._sources():
            source.mute(symbol)

    def recreate_exchange(self) -> None:
        """Forget every binding of a live queue, without notice."""
        for source in self._sources():
            for symbol in source.symbols():
                source.mute(symbol)

    def end_flow(self, symbol: str) -> None:
        """End the flow of *symbol* to each of its followers (`on_unfollowed`)."""
        for source in self._sources():
            source.end_flow(symbol)

    def block(self) -> None:
        """Read nothing more from any sink; each is told at its next publish."""
        self.blocked = True

    def unblock(self) -> None:
        """Read again, first what was written meanwhile."""
        self.blocked = False
        for sink in self._sinks():
            sink.read()

    def hold_confirms(self) -> None:
        """Confirm nothing until `release_confirms`."""
        self.confirms_held = True

    def release_confirms(self) -> None:
        """Confirm what was held back, and everything after it."""
        self.confirms_held = False
        for sink in self._sinks():
            sink.schedule()

    def hold_follows(self) -> None:
        """Answer no `follow`, `unfollow` or `rebind` until `release_follows`."""
        self._held_answers = []

    def release_follows(self) -> None:
        """Answer what was held back, and everything after it."""
        held, self._held_answers = self._held_answers or [], None
        for question in held:
            self.answer(question)

    def inject(self, message: Outgoing) -> None:
        """Publish *message* as a stranger would, malformed or not."""
        self.take(message)

    # --------------------------------------------------------------------------------------- what links ask of it

    def refuses(self) -> bool:
        """Whether an attempt to connect fails now."""
        return self._down or self.dice.hits(self.faults.refuse)

    def answer(self, question: asyncio.Future[None]) -> None:
        """Answer in the loop's next turn, unless answers are held back."""
        if self._held_answers is not None:
            self._held_answers.append(question)
        else:
            question.get_loop().call_soon(_resolve, question)

    def take(self, message: Outgoing) -> bool:
        """Take a message over; return whether it is safe, so that its sink may be told."""
        if message.route is Route.CONTROL:
            self._broadcast(message.body)
            return True
        if self.dice.hits(self.faults.nack):
            return False
        try:
            ticks = decode_message(Symbol(message.symbol), message.identity, message.body)
        except MalformedMessage as error:
            self.malformed += 1
            self._write(error)
            if message.route is Route.TICK:
                self._offer(message.symbol, error)
            return True
        logged = self._logged(ticks)
        if message.route is Route.TICK:
            self._deliver(ticks)
        return logged

    def store(self, candles: Sequence[Candle]) -> None:
        """Take finished candles into the candle log."""
        self.log.store(candles)
        for log in self._logs():
            log.schedule()

    @property
    def desk_is_open(self) -> bool:
        """Whether anybody answers questions."""
        return any(desk.respondent is not None for desk in self._desks())

    def respondent(self) -> Respondent | None:
        """Who answers the next question, each of the open desks in turn; None where all are closed."""
        respondents = [desk.respondent for desk in self._desks() if desk.respondent is not None]
        self._turn += 1
        return respondents[self._turn % len(respondents)] if respondents else None

    # ------------------------------------------------------------------------------------------------------ inside

    def _broadcast(self, body: bytes) -> None:
        message: Control | MalformedMessage
        try:
            message = decode_control(body)
        except MalformedMessage as error:
            self.malformed += 1
            message = error
        for source in self._sources():
            source.offer_control(message)
        for log in self._logs():
            log.offer_control(message)

    def _write(self, item: Item) -> None:
        self.log.write(item, self.clock.monotonic())
        for log in self._logs():
            log.schedule()

    def _logged(self, ticks: TickMessage) -> bool:
        if _spent(self._log_losses, ticks.symbol) or self.dice.hits(self.faults.log_loss):
            return False
        self._write(ticks)
        return True

    def _deliver(self, ticks: TickMessage) -> None:
        if not (_spent(self._live_losses, ticks.symbol) or self.dice.hits(self.faults.live_loss)):
            self._offer(ticks.symbol, ticks)
        if self.faults.repeat:
            self._recent.append(ticks)
            if self.dice.hits(self.faults.repeat):
                again = self._recent[self.dice.upto(len(self._recent) - 1)]
                self._write(again)
                self._offer(again.symbol, again)

    def _offer(self, symbol: str, item: Item) -> None:
        for source in self._sources():
            source.offer(symbol, item)

    def _named(self, name: str | None) -> list[Link]:
        return [link for link in self.links if name is None or link.name == name]

    def _sources(self, name: str | None = None) -> Iterator[MemorySource]:
        return (link for link in self._named(name) if isinstance(link, MemorySource))

    def _sinks(self) -> Iterator[MemorySink]:
        return (link for link in self._named(None) if isinstance(link, MemorySink))

    def _logs(self, name: str | None = None) -> Iterator[MemoryTickLog]:
        return (link for link in self._named(name) if isinstance(link, MemoryTickLog))

    def _desks(self) -> Iterator[MemoryDesk]:
        return (link for link in self._named(None) if isinstance(link, MemoryDesk))


def _spent(losses: Counter[str], symbol: str) -> bool:
    """Whether one of the losses that were ordered for *symbol* is left; it is used up."""
    if losses[symbol] <= 0:
        del losses[symbol]
        return False
    losses[symbol] -= 1
    return True


def _resolve(question: asyncio.Future[None]) -> None:
    if not question.done():
        question.set_result(None)
