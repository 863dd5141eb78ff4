"""The publishing side of the in-memory broker."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING

from services.broker.memory.link import Link
from services.broker.ports import NO_CONTEXTS, Contexts, LostReason, Outgoing, SinkListener
from services.market.symbol import Symbol
from services.market.wire import with_context

if TYPE_CHECKING:
    from services.broker.memory.broker import MemoryBroker


class MemorySink(Link):
    """A `TickSink` of the in-memory broker."""

    def __init__(self, broker: MemoryBroker, name: str) -> None:
        super().__init__(broker, name)
        self._listener: SinkListener | None = None
        self._number = 0
        self._unread: list[Outgoing] = []
        self._read = 0
        self._verdicts: list[tuple[int, bool]] = []
        self._scheduled = False
        self._told_blocked = False

    # --------------------------------------------------------------------------------------- what a TickSink does

    async def run(self, listener: SinkListener) -> None:
        """See `TickSink.run`."""
        self._listener = listener
        await self._supervise(listener)

    def publish(self, messages: Sequence[Outgoing], contexts: Contexts = NO_CONTEXTS) -> int:
        """See `TickSink.publish`."""
        self._required()
        if contexts:
            messages = [_traced(message, contexts.get(index)) for index, message in enumerate(messages)]
        self._number += len(messages)
        number = self._number
        if messages and self._broker.dice.hits(self._broker.faults.sink_end):
            self._unread += messages[: self._broker.dice.upto(len(messages))]
            self.read()
            self.end(LostReason.BROKEN)
            return number
        self._unread += messages
        self.read()
        return number

    def reconnect(self) -> None:
        """See `TickSink.reconnect`."""
        self.end(LostReason.SILENT)

    async def newest_epoch(self, symbols: Collection[Symbol]) -> int | None:
        """See `TickSink.newest_epoch`."""
        await self._up.wait()
        return self._broker.log.newest_epoch(symbols)

    # -------------------------------------------------------------------------------------- what the broker asks

    def read(self) -> None:
        """Let the broker read what was written, unless it is blocked; tell the listener either way."""
        if self._broker.blocked:
            if self._unread:
                self._tell_blocked(blocked=True)
            return
        self._tell_blocked(blocked=False)
        unread, self._unread = self._unread, []
        for message in unread:
            self._read += 1
            self._verdicts.append((self._read, self._broker.take(message)))
        self.schedule()

    def schedule(self) -> None:
        """Confirm in the loop's next turn, unless confirmations are held back."""
        if self._verdicts and not self._scheduled and not self._broker.confirms_held:
            self._scheduled = True
            self._later(self._settle)

    # ----------------------------------------------------------------------------------------------------- inside

    def _forget(self) -> None:
        self._number = self._read = 0
        self._unread, self._verdicts = [], []
        self._scheduled = self._told_blocked = False

    def _tell_blocked(self, *, blocked: bool) -> None:
        if self._told_blocked != blocked and self._listener is not None:
            self._told_blocked = blocked
            self._later(partial(self._listener.on_blocked, blocked=blocked))

    def _settle(self) -> None:
        self._scheduled = False
        if self._listener is None or self._broker.confirms_held:
            return
        verdicts, self._verdicts = self._verdicts, []
        connection = self._connection
        for number, multiple, accepted in self._answers(verdicts):
            self._listener.on_settled(number, multiple=multiple, accepted=accepted)
            # A listener may have ended the connection; nothing comes after that.
            if self._connection is not connection:
                return

    def _answers(self, verdicts: list[tuple[int, bool]]) -> list[tuple[int, bool, bool]]:
        """One answer for each run of equal verdicts, as a broker saves frames; or each alone, in no order."""
        if self._broker.dice.hits(self._broker.faults.shuffle):
            self._broker.dice.shuffle(verdicts)
            return [(number, False, accepted) for number, accepted in verdicts]
        answers: list[tuple[int, bool, bool]] = []
        for number, accepted in verdicts:
            if answers and answers[-1][2] == accepted:
                answers[-1] = (number, True, accepted)
            else:
                answers.append((number, False, accepted))
        return answers


def _traced(message: Outgoing, context: str | None) -> Outgoing:
    return message if context is None else message._replace(identity=with_context(message.identity or "", context))
