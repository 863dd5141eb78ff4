"""Pages of ticks out of tape and history: laid one after another, no hole in them is unexplained."""

from __future__ import annotations

from typing import Final

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.frames import GapReason
from gateway.glance import Glance
from gateway.tape import Tape
from gateway.wires.http.query import Form, TicksQuery
from gateway.wires.http.sheet import LONGEST_TICK, Hole, Sheet, Stretch, is_cut
from gateway.wires.http.ticks import Writing
from services.broker.history import PAGE_BYTES, Answer, Question
from services.history.ring import Ring
from services.market.position import Position
from services.market.symbol import Symbol
from services.market.wire import TickMessage
from tests.listeners import line
from tests.paging import Pages

A: Final = Symbol("AAPL")
NOTHING: Final = Glance(bound=False, tape=None, mark=None)


def ring(*positions: Position, cut: int = 0) -> Ring:
    """History that has read ticks at these positions, and forgotten the oldest *cut*."""
    found = Ring()
    for epoch, seq in positions:
        found.accept(TickMessage(A, epoch, seq, 1, 1, (line(A, seq),)))
    found.forget(cut)
    return found


def answer(found: Ring, question: Question) -> Answer:
    """What history answers."""
    page = found.last() if question.after is None else found.after(question.after)
    return Answer(question, page.ticks, page.top, found.forgot)


def fill(sheet: Sheet, found: Ring | None, glance: Glance = NOTHING) -> list[Stretch]:
    """Let *sheet* ask until it has enough; history None: nobody answers."""
    for _ in range(100):
        question = sheet.next(glance)
        if question is None:
            return sheet.written()
        if found is None:
            assert sheet.unanswered(glance)
            return sheet.written()
        sheet.answer(answer(found, question))
    raise AssertionError("it never stops asking")


def seqs(stretches: list[Stretch]) -> list[int]:
    """The sequences on a sheet."""
    return [position.seq for stretch in stretches for position, _ in stretch.ticks]


def holes(stretches: list[Stretch]) -> list[Hole]:
    """The holes on a sheet."""
    return [hole for stretch in stretches for _, hole in stretch.holes]


def run(epoch: int, first: int, last: int) -> list[Position]:
    """Consecutive positions."""
    return [Position(epoch, seq) for seq in range(first, last + 1)]


def live(epoch: int, first: int, last: int, *, bound: bool = True, mark: Position | None = None) -> Glance:
    """A symbol that is followed here, with these ticks on its tape."""
    tape = Tape()
    lines = [line(A, seq) for seq in range(first, last + 1)]
    tape.add(epoch, first, lines, sum(map(len, lines)))
    return Glance(bound, tape, mark)


def test_the_newest() -> None:
    """Without a position the newest ticks come, and what was before them is no hole."""
    sheet = Sheet(A, None, 3)
    found = fill(sheet, ring(*run(7, 1, 9)))
    assert seqs(found) == [7, 8, 9]
    assert holes(found) == []
    assert (sheet.cursor, sheet.more, sheet.asked) == (Position(7, 9), False, 2)


def test_the_newest_of_a_followed_symbol() -> None:
    """A symbol that is followed here costs history nothing."""
    sheet = Sheet(A, None, 3)
    assert seqs(fill(sheet, None, live(7, 1, 9))) == [7, 8, 9]
    assert sheet.asked == 0


def test_never_traded() -> None:
    """A symbol without any tick has an empty page, and no position to go on from."""
    sheet = Sheet(A, None, 3)
    assert fill(sheet, ring()) == []
    assert (sheet.cursor, sheet.more) == (None, False)


def test_the_end() -> None:
    """Whoever stands at the newest live tick is told so without a question."""
    sheet = Sheet(A, Position(7, 9), 3)
    assert fill(sheet, None, live(7, 1, 9)) == []
    assert (sheet.cursor, sheet.asked, sheet.ahead) == (Position(7, 9), 0, False)


def test_a_mark_above_the_tape() -> None:
    """Where a heartbeat names a later tick than the tape has, history is asked for it."""
    sheet = Sheet(A, Position(7, 8), 9)
    found = fill(sheet, ring(*run(7, 1, 12)), live(7, 1, 9, mark=Position(7, 12)))
    assert seqs(found) == [9, 10, 11, 12]


def test_lost() -> None:
    """What history lacks below its top is lost, and named before the tick behind it."""
    found = fill(Sheet(A, Position(7, 2), 9), ring(*run(7, 1, 4), *run(7, 8, 9)))
    assert seqs(found) == [3, 4, 8, 9]
    assert holes(found) == [Hole(7, 5, 7, GapReason.LOST)]


def test_forgotten() -> None:
    """What history has dropped is forgotten, and the page goes on with what it still has."""
    found = fill(Sheet(A, Position(7, 2), 9), ring(*run(7, 1, 9), cut=6))
    assert seqs(found) == [7, 8, 9]
    assert holes(found) == [Hole(7, 3, 6, GapReason.FORGOTTEN)]


def test_forgotten_across_epochs() -> None:
    """Of an epoch that is gone nobody knows the end; the beginning of the later one is named by itself."""
    found = fill(Sheet(A, Position(7, 2), 9), ring(*run(7, 1, 9), *run(8, 1, 5), cut=12))
    assert seqs(found) == [4, 5]
    assert holes(found) == [Hole(7, 3, None, GapReason.FORGOTTEN), Hole(8, 1, 3, GapReason.FORGOTTEN)]


def test_everything_that_there_is() -> None:
    """From 0-0 on comes all that history has; there is no epoch 0 that it could have forgotten."""
    found = fill(Sheet(A, Position(0, 0), 9), ring(*run(7, 1, 9), cut=6))
    assert seqs(found) == [7, 8, 9]
    assert holes(found) == [Hole(7, 1, 6, GapReason.FORGOTTEN)]


def test_history_is_silent() -> None:
    """Without history whoever is in the tape goes on from there, and whoever is not gets nothing."""
    assert seqs(fill(Sheet(A, None, 9), None, live(7, 5, 9))) == [5, 6, 7, 8, 9]
    assert seqs(fill(Sheet(A, Position(7, 6), 9), None, live(7, 5, 9))) == [7, 8, 9]
    sheet = Sheet(A, Position(7, 2), 9)
    assert sheet.next(live(7, 5, 9)) is not None
    assert not sheet.unanswered(live(7, 5, 9))


def test_ahead() -> None:
    """A position above all that is known is ahead; given up, the newest ticks come and the hole has a name."""
    sheet = Sheet(A, Position(9, 1), 2)
    assert fill(sheet, ring(*run(7, 1, 9))) == []
    assert sheet.ahead
    sheet.give_up()
    found = fill(sheet, ring(*run(7, 1, 9)))
    assert seqs(found) == [8, 9]
    assert holes(found) == [Hole(9, 2, None, GapReason.UNKNOWN_POSITION)]


def test_ahead_of_nothing() -> None:
    """Where nothing at all is known no position is ahead."""
    sheet = Sheet(A, Position(9, 1), 2)
    assert fill(sheet, ring()) == []
    assert not sheet.ahead


def test_history_from_before() -> None:
    """An answer of a replica that lags brings nothing, and its page ends there."""
    sheet = Sheet(A, Position(7, 9), 5)
    assert fill(sheet, ring(*run(7, 1, 5)), Glance(False, None, Position(7, 9))) == []
    assert (sheet.cursor, sheet.ahead) == (Position(7, 9), False)


def test_a_cut_page() -> None:
    """A page that has no room for another tick may have been cut; a smaller one has not been."""
    full = PAGE_BYTES - LONGEST_TICK + 1
    question = Question(A, Position(7, 0))
    assert is_cut(Answer(question, ((Position(7, 1), b"x" * full),), None, None))
    assert not is_cut(Answer(question, ((Position(7, 1), b"x" * (full - 1)),), None, None))


def test_many_pages() -> None:
    """Ten thousand ticks are 24 pages of history, in order."""
    found = fill(Sheet(A, Position(7, 0), 10_000), ring(*run(7, 1, 12_000)))
    assert seqs(found) == list(range(1, 10_001))


_RUNS = st.lists(st.tuples(st.integers(1, 30), st.sets(st.integers(1, 30), max_size=8)), min_size=1, max_size=4)


@settings(max_examples=100, deadline=None)
@given(
    runs=_RUNS,
    cut=st.integers(0, 60),
    begin=st.integers(0, 40),
    limits=st.lists(st.integers(1, 9), min_size=1),
    tape=st.integers(0, 12),
    form=st.sampled_from(Form),
)
def test_pages_are_complete(
    *, runs: list[tuple[int, set[int]]], cut: int, begin: int, limits: list[int], tape: int, form: Form
) -> None:
    """Whatever was lost, forgotten or followed: pages to the end have each tick there is, and name the rest."""
    log = [
        Position(10 + epoch, seq)
        for epoch, (count, lost) in enumerate(runs)
        for seq in range(1, count + 1)
        if seq not in lost or (seq == 1 and epoch > 0)
    ]
    if not log:
        return
    history = ring(*log, cut=cut)
    newest = log[-1]
    held = 0
    while held < tape and Position(newest.epoch, newest.seq - held) in log:
        held += 1
    glance = live(newest.epoch, newest.seq - held + 1, newest.seq) if held else NOTHING
    start = Position(10, begin) if begin <= runs[0][0] else Position(0, 0)
    pages, after, turn = Pages(A, f"{start.epoch}-{start.seq}"), start, 0
    while True:
        limit = limits[turn % len(limits)]
        sheet, writing = Sheet(A, after, limit), Writing(form)
        for stretch in fill(sheet, history, glance):
            writing.add(stretch)
        content = writing.content(TicksQuery(A, after, limit), sheet, {})
        count = pages.take(as_json(b"".join(content.pieces), sheet, form))
        assert count <= limit
        assert sheet.cursor is not None
        after, turn = sheet.cursor, turn + 1
        if not count and not sheet.more:
            break
        assert turn < 200, "it never ends"
    assert after == max(newest, start)
    forgot = history.forgot or Position(0, 0)
    due = {position for position in log if position > max(start, forgot)}
    named = {(gap["epoch"], seq) for gap in pages.gaps if gap["to"] for seq in range(gap["from"], gap["to"] + 1)}
    assert due - {Position(*place) for place in pages.ticks} == set()
    assert named.isdisjoint(pages.ticks)


def as_json(body: bytes, sheet: Sheet, form: Form) -> bytes:
    """The page as JSON, whatever form it has: a table has each gap in its place."""
    if form is Form.JSON:
        return body
    head, *lines = body.decode().split("\r\n")[:-1]
    rows = [dict(zip(head.split(","), text.split(","), strict=True)) for text in lines]
    gaps = [r for r in rows if r["gap_reason"]]
    ticks = [r for r in rows if not r["gap_reason"]]
    cursor = sheet.cursor
    return orjson.dumps(
        {
            "symbol": A,
            "epoch": None if cursor is None else cursor.epoch,
            "next": None if cursor is None else f"{cursor.epoch}-{cursor.seq}",
            "more": sheet.more,
            "gaps": [
                {
                    "epoch": int(gap["epoch"]),
                    "from": int(gap["seq"]),
                    "to": int(gap["gap_to"]) if gap["gap_to"] else None,
                    "reason": gap["gap_reason"],
                }
                for gap in gaps
            ],
            "ticks": [{**tick, "epoch": int(tick["epoch"]), "seq": int(tick["seq"])} for tick in ticks],
        }
    )
