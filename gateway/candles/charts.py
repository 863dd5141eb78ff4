"""All charts of one gateway: who follows them, what history is asked, and who is told when.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any, Final

from gateway.agenda import Agenda
from gateway.candles.chart import AGAIN_CAP_S, AGAIN_S, PATIENCE_S, Chart, State, Tap
from gateway.candles.herald import TURN_S, Herald
from gateway.candles.tally import CandleStanding, CandleTally, Reset
from gateway.candles.viewer import Viewer
from gateway.client import Client
from gateway.follower import Follower
from gateway.intents import AskCandles, Intent
from gateway.line import Line
from gateway.lines import Lines
from services.broker.history import CandleAnswer, CandleQuestion
from services.market.position import Position
from services.market.symbol import Symbol

QUESTIONS: Final = 16
"""Most questions about candles on their way to history.  One costs it about 1 ms: 1,000 at once would outlive the
0.5 s in which they must be answered."""


class Charts:
    """The charts that anybody follows, by symbol and step (s)."""

    def __init__(self, lines: Lines, agenda: Agenda, intents: list[Intent], serials: count[int]) -> None:
        self._lines, self._agenda, self._intents, self._serials = lines, agenda, intents, serials
        self._by_key: dict[tuple[Symbol, int], Chart] = {}
        self._queue: dict[Chart, None] = {}
        self._asked: dict[CandleQuestion, Chart] = {}
        self._woken = False
        self._published = 0
        self.touched: list[Any] = []
        """The taps that hold something."""
        self.tally = CandleTally()
        self._herald = Herald(agenda, self.tally)

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[Chart]:
        return iter(self._by_key.values())

    # ------------------------------------------------------------------------------------- clients come and go

    def follow(self, client: Client, line: Line, step: int, history: int, now: float) -> None:
        """Let *client* follow a chart, or follow it anew; nothing is said before `begin`."""
        key = (line.symbol, step)
        chart = self._by_key.get(key)
        if chart is None:
            chart = self._by_key[key] = Chart(*key, Tap(None, self.touched, self._wake))
            line.charts += 1
            self._start(chart, now)
        viewer = client.candles.get(key)
        if viewer is None:
            viewer = client.candles[key] = Viewer(client, chart, history)
            chart.viewers[viewer] = None
        viewer.history, viewer.told = history, None
        self.tally.resets[Reset.SUBSCRIBED] += 1

    def begin(self, client: Client, symbols: Iterable[Symbol], step: int, now: float) -> None:
        """Say what there is to a client that has just been told `subscribed`."""
        self._herald.begin([client.candles[symbol, step] for symbol in symbols], now)

    def unfollow(self, client: Client, symbol: Symbol, step: int, now: float) -> bool:
        """Let *client* follow a chart no longer; return whether it did."""
        viewer = client.candles.pop((symbol, step), None)
        if viewer is None:
            return False
        client.owed.pop(viewer, None)
        chart = viewer.chart
        del chart.viewers[viewer]
        if not chart.viewers:
            self._end(chart, now)
        return True

    def leave(self, client: Client, now: float) -> None:
        """The client is gone."""
        for symbol, step in list(client.candles):
            self.unfollow(client, symbol, step, now)

    def _end(self, chart: Chart, now: float) -> None:
        del self._by_key[chart.key]
        self._queue.pop(chart, None)
        self._forsake(chart)
        line = self._lines[chart.symbol]
        line.charts -= 1
        self._lines.tend(line, now)

    # -------------------------------------------------------------------------------------------- the feed speaks

    def collect(self, published: int, now: float) -> None:
        """Count what the taps hold; *published*: when the newest message of the pass was (µs; 0: not known)."""
        self._published = max(self._published, published)
        taps, self.touched[:] = self.touched[:], ()
        for tap in taps:
            chart: Chart = tap.owner
            entries = tap.take()
            if chart.follower is None:
                continue
            doubt = chart.take(entries, self._published)
            if doubt is not None:
                self._restart(chart, Reset(doubt.value), now)
            else:
                self._herald.changed(chart, now)

    def _wake(self) -> None:
        """Collect soon: what came did not come with a pass of live ticks."""
        if not self._woken:
            self._woken = True
            self._agenda.at(0.0, self._collect_late)

    def _collect_late(self, now: float) -> None:
        self._woken = False
        self.collect(0, now)

    # ------------------------------------------------------------------------------------------- history speaks

    def tell_history(self, present: bool, now: float) -> None:  # noqa: FBT001 - the news itself
        """History has come, or gone."""
        for chart in list(self):
            if present and chart.state in (State.ALONE, State.SILENT):
                self._want(chart, Reset.RETURNED, now)
            elif not present and chart.state is State.ASKING:
                self._go_alone(chart, now)

    def answer(self, answer: CandleAnswer, now: float) -> None:
        """History has answered."""
        chart = self._returned(answer.question, now)
        if chart is None:
            return
        line = self._lines[chart.symbol]
        if answer.top is not None:
            self._join(chart, answer, now)
        elif not answer.candles and line.recovery.tape.newest is None and line.recovery.mark is None:
            self._listen(chart, State.SILENT, None, now)
            self._herald.reset(chart, now)
        else:
            self._ask_later(chart, now)

    def unanswered(self, question: CandleQuestion, now: float) -> None:
        """Nobody has answered in time."""
        chart = self._returned(question, now)
        if chart is not None:
            self._ask_later(chart, now)

    def _returned(self, question: CandleQuestion, now: float) -> Chart | None:
        chart = self._asked.pop(question, None)
        self._put(now)
        if chart is None or self._by_key.get(chart.key) is not chart:
            return None
        chart.asked_at = None
        return chart

    def _join(self, chart: Chart, answer: CandleAnswer, now: float) -> None:
        """Go on from where history's candles end."""
        chart.since, chart.again_s = None, AGAIN_S
        chart.series.load(answer)
        self.tally.resets[chart.reason] += chart.reason is not Reset.SUBSCRIBED
        self._listen(chart, State.JOINED, answer.top, now)
        self._herald.reset(chart, now)

    # ------------------------------------------------------------------------------------------------- questions

    def _start(self, chart: Chart, now: float) -> None:
        if self._lines.history:
            self._want(chart, Reset.SUBSCRIBED, now)
        else:
            self._go_alone(chart, now)

    def _want(self, chart: Chart, reason: Reset, now: float) -> None:
        """Put a question to history, once it is its turn."""
        if chart.asked_at is None and chart not in self._queue:
            chart.reason = reason
            self._queue[chart] = None
            self._put(now)

    def _put(self, now: float) -> None:
        while self._queue and len(self._asked) < QUESTIONS:
            chart = next(iter(self._queue))
            del self._queue[chart]
            if chart.question in self._asked:  # of a chart that has ended, and was begun again
                self._asked[chart.question] = chart
            else:
                self._asked[chart.question] = chart
                self._intents.append(AskCandles(chart.question))
                self.tally.questions += 1
            chart.asked_at = now
            chart.since = now if chart.since is None else chart.since

    def _ask_later(self, chart: Chart, now: float) -> None:
        """Ask again, and meanwhile go on without an answer where it has been owed for too long."""
        self.tally.unanswered += 1
        if chart.state is State.ASKING and chart.since is not None and now >= chart.since + PATIENCE_S:
            self._go_alone(chart, now)
        self._agenda.at(now + chart.again_s, lambda later: self._ask_again(chart, later))
        chart.again_s = min(2 * chart.again_s, AGAIN_CAP_S)

    def _ask_again(self, chart: Chart, now: float) -> None:
        if self._by_key.get(chart.key) is chart and self._lines.history and chart.state is not State.JOINED:
            self._want(chart, chart.reason, now)

    def _restart(self, chart: Chart, reason: Reset, now: float) -> None:
        """The candles cannot be continued: begin again."""
        chart.series.tear()
        self._forsake(chart)
        if not self._lines.history:
            self._go_alone(chart, now)
            return
        chart.state, chart.since, chart.reason = State.ASKING, None, reason
        # Ticks whose time is wrong again and again cost one question in AGAIN_CAP_S seconds.
        at = max(now, chart.turned + TURN_S) if reason is Reset.HOLE else now + AGAIN_CAP_S
        self._agenda.at(at, lambda later: self._ask_again(chart, later))

    # ----------------------------------------------------------------------------------------------- the follower

    def _go_alone(self, chart: Chart, now: float) -> None:
        """Go on with the ticks that come."""
        self._listen(chart, State.ALONE, None, now)
        self._herald.reset(chart, now)

    def _listen(self, chart: Chart, state: State, resume: Position | None, now: float) -> None:
        """Let the chart's follower begin, after *resume* or (None) with the newest tick."""
        self._forsake(chart)
        chart.state = state
        line = self._lines[chart.symbol]
        follower = chart.follower = Follower(line.symbol, chart.tap, next(self._serials))
        line.recovery.join(follower, resume=resume, snapshot=True)
        follower.asked = False  # the few ticks since the answer are no client's replay
        line.recovery.begin(follower, now)
        self._lines.look_after(line, now)

    def _forsake(self, chart: Chart) -> None:
        """Let the chart's follower go, and what it was given."""
        if chart.follower is not None:
            line = self._lines[chart.symbol]
            line.recovery.leave(chart.follower)
            line.figures.forget(chart.follower)
            chart.follower = None
        chart.tap.take()

    # --------------------------------------------------------------------------------------------------- figures

    def drained(self, client: Client, now: float) -> None:
        """The client's socket has taken everything."""
        self._herald.drained(client, now)

    def followed(self, client: Client) -> dict[Symbol, list[int]]:
        """Return the steps of the candles that *client* follows, by symbol."""
        steps: dict[Symbol, list[int]] = {}
        for symbol, step in sorted(client.candles):
            steps.setdefault(symbol, []).append(step)
        return steps

    def standing(self) -> CandleStanding:
        """Return how things stand; 1,000 charts take 1 ms."""
        charts = list(self)
        return CandleStanding(
            charts=len(charts),
            alone=_count(charts, State.ALONE),
            waiting=_count(charts, State.ASKING),
            followers=sum(chart.follower is not None for chart in charts),
            viewers=sum(len(chart.viewers) for chart in charts),
            rows=sum(len(chart.series) for chart in charts),
            bytes=sum(chart.series.size for chart in charts),
        )


def _count(charts: Iterable[Chart], state: State) -> int:
    return sum(chart.state is state for chart in charts)
