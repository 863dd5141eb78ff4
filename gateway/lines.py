"""The lines of a gateway: which symbols the broker keeps coming, and what their recoveries ask for.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gateway.agenda import Agenda
from gateway.follower import Follower
from gateway.glance import Glance
from gateway.intents import Ask, Close, Intent, Open, Rebind
from gateway.line import IDLE_GRACE, RETAIN, RETRY, Line, Stage
from gateway.recovery import Recovery
from gateway.request import Request
from gateway.tally import Tally
from services.broker.history import Answer, Question
from services.market.day import Day
from services.market.position import Position
from services.market.symbol import Symbol


class Lines:
    """Every line that is open, wanted, or remembered.

    *bound* is called with the requests that waited for a symbol once the broker has bound it, *figured* with who
    can be told the day's figures.
    """

    def __init__(
        self,
        agenda: Agenda,
        intents: list[Intent],
        bound: Callable[[list[Request], float], None],
        figured: Callable[[Follower, Day | None], None],
        *,
        history: bool,
        idle_grace: float = IDLE_GRACE,
    ) -> None:
        self.tally = Tally()
        self.connected = False
        self._by_symbol: dict[Symbol, Line] = {}
        self._marks: dict[Symbol, Position] = {}
        self._agenda = agenda
        self._intents = intents
        self._bound = bound
        self._figured = figured
        self._history = history
        self._idle_grace = idle_grace

    def __iter__(self) -> Iterator[Line]:
        return iter(self._by_symbol.values())

    def __len__(self) -> int:
        return len(self._by_symbol)

    def __getitem__(self, symbol: Symbol) -> Line:
        return self._by_symbol[symbol]

    def get(self, symbol: Symbol) -> Line | None:
        """The line of *symbol*; None: there is none."""
        return self._by_symbol.get(symbol)

    def glance(self, symbol: Symbol) -> Glance:
        """What is known here of *symbol* now, followed or not."""
        line, mark = self._by_symbol.get(symbol), self._marks.get(symbol)
        return Glance(False, None, mark) if line is None else Glance(line.bound, line.recovery.tape, mark)

    def provide(self, symbol: Symbol, now: float) -> Line:
        """The line of *symbol*, a new one where there is none; it knows the marks that came before."""
        line = self._by_symbol.get(symbol)
        if line is None:
            recovery = Recovery(symbol, self.tally, history=self._history)
            line = self._by_symbol[symbol] = Line(recovery, now)
            if symbol in self._marks:
                recovery.heard(self._marks[symbol], now)
        return line

    def heard(self, symbol: Symbol, mark: Position, now: float) -> None:
        """A heartbeat names the last position of *symbol*."""
        if mark >= self._marks.get(symbol, mark):
            self._marks[symbol] = mark
        line = self._by_symbol.get(symbol)
        if line is not None:
            line.recovery.heard(mark, now)
            self.look_after(line, now)

    # ---------------------------------------------------------------------------------------- history speaks

    @property
    def history(self) -> bool:
        """Whether anybody answers questions."""
        return self._history

    def tell_history(self, present: bool, now: float) -> None:  # noqa: FBT001 - the news itself
        """History has come, or gone: who waits for it is told by the deadlines that run already."""
        self._history = present
        for line in self._by_symbol.values():
            line.recovery.tell_history(present, now)
            self.look_after(line, now)

    def answer(self, answer: Answer, now: float) -> None:
        """History has answered."""
        line = self._by_symbol.get(answer.question.symbol)
        if line is not None:
            line.recovery.answer(answer, now)
            if answer.question.after is None:
                line.figures.answer(answer, now)
            self.look_after(line, now)

    def unanswered(self, question: Question, now: float) -> None:
        """History has not answered in time."""
        line = self._by_symbol.get(question.symbol)
        if line is not None:
            line.recovery.unanswered(question, now)
            if question.after is None:
                line.figures.unanswered(question, now)
            self.look_after(line, now)

    # ---------------------------------------------------------------------------------------- the broker speaks

    def connect(self, now: float) -> None:
        """A connection to the broker stands: open what is wanted."""
        self.connected = True
        for line in self._by_symbol.values():
            self.tend(line, now)

    def disconnect(self, now: float) -> None:
        """The connection is gone, and with it every line.  Clients stay."""
        self.connected = False
        for line in list(self._by_symbol.values()):
            if line.stage is not Stage.CLOSED:
                line.enter(Stage.CLOSED, now)
                self.tend(line, now)

    def opened(self, intent: Open, now: float) -> None:
        """The broker has bound a symbol."""
        line = self._by_symbol.get(intent.symbol)
        if line is None or line.stage is not Stage.OPENING or line.attempt != intent.attempt:
            return
        line.enter(Stage.OPEN, now)
        for request in line.waiting:
            request.bound(intent.symbol)
        self._bound(list(line.waiting), now)
        self.look_after(line, now)
        self.tend(line, now)

    def refused(self, intent: Open, now: float) -> None:
        """The broker could not bind a symbol: try again a little later."""
        line = self._by_symbol.get(intent.symbol)
        if line is None or line.stage is not Stage.OPENING or line.attempt != intent.attempt:
            return
        line.enter(Stage.CLOSED, now)
        self._agenda.at(now + RETRY, lambda later: self.tend(line, later))

    def closed(self, intent: Close, now: float) -> None:
        """The broker keeps nothing for a symbol any more."""
        line = self._by_symbol.get(intent.symbol)
        if line is not None and line.stage is Stage.CLOSING and line.attempt == intent.attempt:
            line.enter(Stage.CLOSED, now)
            self.tend(line, now)

    def unfollowed(self, symbol: Symbol, now: float) -> None:
        """The broker ended one symbol's flow by itself: open it again."""
        line = self._by_symbol.get(symbol)
        if line is not None and line.bound:
            line.enter(Stage.CLOSED, now)
            self.tend(line, now)

    # ------------------------------------------------------------------------------------------ transitions

    def begin(self, transition: Open | Close | Rebind, now: float) -> bool:
        """The broker could be asked for *transition* now; return whether it is to be.

        It is not where it is over, was asked for already, or nobody wants it any more.
        """
        line = self._by_symbol.get(transition.symbol)
        if line is None:
            return False
        if isinstance(transition, Rebind):
            return line.bound
        stage = Stage.OPENING if isinstance(transition, Open) else Stage.CLOSING
        if line.asked or line.stage is not stage or line.attempt != transition.attempt:
            return False
        if stage is Stage.OPENING and not line.wanted:
            line.enter(Stage.CLOSED, now)
            self.tend(line, now)
            return False
        line.asked = True
        return True

    def tend(self, line: Line, now: float) -> None:
        """Take the next transition of a line, or schedule when to look again."""
        match line.stage:
            case Stage.CLOSED if line.wanted:
                if self.connected:
                    line.enter(Stage.OPENING, now)
                    self._intents.append(Open(line.symbol, line.attempt, line.newest_waiting))
            case Stage.OPENING if line.waiting and not line.asked:
                # Another client waits for it, too, whose turn may come sooner.
                self._intents.append(Open(line.symbol, line.attempt, line.newest_waiting))
            case Stage.CLOSING if line.wanted and not line.asked:
                line.enter(Stage.OPEN, now)
            case Stage.CLOSED:
                self._look_later(line, now + RETAIN)
            case Stage.OPEN if not line.wanted:
                line.enter(Stage.IDLE, now)
                self._look_later(line, now + self._idle_grace)
            case Stage.IDLE if line.wanted:
                line.enter(Stage.OPEN, now)
            case _:
                pass

    def _look_later(self, line: Line, at: float) -> None:
        if line.look_at is None or at < line.look_at:
            line.look_at = at
            self._agenda.at(at, lambda later: self._look(line, at, later))

    def _look(self, line: Line, at: float, now: float) -> None:
        """Close a line that has idled long enough, or forget one that has been closed long enough.

        The tape outlives its queue for `RETAIN` seconds, so that who comes back finds the newest tick.
        """
        if line.look_at != at:
            return  # an earlier look came in between
        line.look_at = None
        idle = line.stage is Stage.IDLE
        if not idle and (line.stage is not Stage.CLOSED or line.wanted):
            return
        due = line.since + (self._idle_grace if idle else RETAIN)
        if now < due:
            self._look_later(line, due)
        elif idle:
            line.enter(Stage.CLOSING, now)
            self._intents.append(Close(line.symbol, line.attempt))
        elif self._by_symbol.get(line.symbol) is line:
            del self._by_symbol[line.symbol]

    def look_after(self, line: Line, now: float) -> None:
        """Pass on what a line asks for, say its figures to whom they are owed, and schedule its next deadline."""
        recovery, figures = line.recovery, line.figures
        while recovery.newcomers:
            follower, since = recovery.newcomers.pop()
            figures.owe(follower, since, now, history=self._history)
        for follower, day in figures.ready(now):
            self._figured(follower, day)
        self._ask(recovery.questions.outgoing)
        self._ask(figures.questions.outgoing)
        if recovery.rebind:
            recovery.rebind = False
            self._intents.append(Rebind(recovery.symbol))
        dues = [at for at in (recovery.next_due, figures.next_due) if at is not None]
        if dues and (line.due_at is None or min(dues) < line.due_at):
            line.due_at = at = min(dues)
            self._agenda.at(at, lambda later: self._due_line(line, at, later))

    def _ask(self, outgoing: list[Question]) -> None:
        if outgoing:
            self._intents.extend(map(Ask, outgoing))
            self.tally.questions += len(outgoing)
            outgoing.clear()

    def _due_line(self, line: Line, at: float, now: float) -> None:
        if line.due_at != at:
            return  # an earlier deadline came in between and has looked after this one too
        line.due_at = None
        line.recovery.due(now)
        line.figures.due(now)
        self.look_after(line, now)
