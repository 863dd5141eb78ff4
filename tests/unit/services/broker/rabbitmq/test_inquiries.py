"""Which questions are on their way, and whether anybody answers."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.broker.history import ABSENT_S, Answer, CandleAnswer, CandleQuestion, Question
from services.broker.rabbitmq.inquiries import DOUBT_S, IN_FLIGHT, Inquiries, Presence
from services.broker.rpc import QUESTIONS, Asked, Reply, Told
from services.market.symbol import Symbol

A, B = Question(Symbol("A"), None), Question(Symbol("B"), None)
CANDLES = CandleQuestion(Symbol("A"), 60, 0, 5)


def told(*asked: Asked) -> tuple[Told, ...]:
    """An answer to each."""
    return tuple(Answer(a, (), None, None) if isinstance(a, Question) else CandleAnswer(a, ()) for a in asked)


def test_questions_travel_together() -> None:
    """What was added since the last call is one request; nothing added is none."""
    inquiries = Inquiries()
    inquiries.add(A)
    inquiries.add(CANDLES)
    (request,) = inquiries.requests("q", 1.0)
    assert (request.reply_to, request.asked) == ("q", (A, CANDLES))
    assert inquiries.requests("q", 1.0) == []
    assert len(inquiries) == 2


def test_many_questions_take_several_requests() -> None:
    """1,001 questions travel in three requests with numbers of their own."""
    inquiries = Inquiries()
    for n in range(2 * QUESTIONS + 1):
        inquiries.add(Question(Symbol(f"S{n}"), None))
    requests = inquiries.requests("q", 1.0)
    assert [len(r.asked) for r in requests] == [QUESTIONS, QUESTIONS, 1]
    assert len({r.number for r in requests}) == 3


def test_answers_may_come_in_several_replies() -> None:
    """Each reply settles the questions that it answers; the request is over with the last of them."""
    inquiries = Inquiries()
    inquiries.add(A)
    inquiries.add(B)
    (request,) = inquiries.requests("q", 1.0)
    assert inquiries.settle(Reply(request.number, told(B)), 1.5) == (told(B), 0.5)
    assert len(inquiries) == 1
    assert inquiries.settle(Reply(request.number, told(A)), 1.75) == (told(A), 0.75)
    assert inquiries.expire(request.number) == set()


def test_a_repeated_or_foreign_answer_is_late() -> None:
    """An answer that came already, or that this request did not ask for, settles nothing."""
    inquiries = Inquiries()
    inquiries.add(A)
    inquiries.add(B)
    (request,) = inquiries.requests("q", 1.0)
    inquiries.settle(Reply(request.number, told(A)), 1.5)
    assert inquiries.settle(Reply(request.number, told(A)), 1.6) == ((), None)
    assert inquiries.settle(Reply(request.number, told(CANDLES)), 1.6) == ((), None)
    assert inquiries.settle(Reply(request.number + 1, told(B)), 1.6) == ((), None)
    assert inquiries.settle(Reply(request.number, told(B)), 1.6).told == told(B)


def test_an_expired_request_returns_what_it_lacks() -> None:
    """Of an expired request the unanswered questions are given up, and a reply afterwards is late."""
    inquiries = Inquiries()
    inquiries.add(A)
    inquiries.add(B)
    (request,) = inquiries.requests("q", 1.0)
    inquiries.settle(Reply(request.number, told(A)), 1.1)
    assert inquiries.expire(request.number) == {B}
    assert inquiries.settle(Reply(request.number, told(B)), 1.6) == ((), None)
    assert len(inquiries) == 0


def test_a_probe_is_settled_by_an_empty_reply() -> None:
    """A reply without answers settles a probe once."""
    inquiries = Inquiries()
    probe = inquiries.probe("q", 1.0)
    assert probe.asked == ()
    assert inquiries.settle(Reply(probe.number), 1.25) == ((), 0.25)
    assert inquiries.settle(Reply(probe.number), 1.5) == ((), None)


def test_the_questions_are_bounded() -> None:
    """At the bound nothing more may be asked, until questions end."""
    inquiries = Inquiries()
    for n in range(IN_FLIGHT):
        inquiries.add(Question(Symbol(f"S{n}"), None))
        assert inquiries.full is (n == IN_FLIGHT - 1)
    inquiries.clear()
    assert inquiries.full is False
    assert inquiries.requests("q", 1.0) == []


class Travelling(RuleBasedStateMachine):
    """Whatever happens, each question is on its way once, and ends once: answered, expired or given up."""

    def __init__(self) -> None:
        super().__init__()
        self.inquiries = Inquiries()
        self.here: set[Asked] = set()
        self.numbers: dict[int, tuple[Asked, ...]] = {}

    @rule(n=st.integers(0, 30))
    def ask(self, n: int) -> None:
        """Ask what is not on its way."""
        question = Question(Symbol(f"S{n}"), None)
        if question not in self.here:
            self.here.add(question)
            self.inquiries.add(question)

    @rule()
    def send(self) -> None:
        """Send."""
        self.numbers |= {r.number: r.asked for r in self.inquiries.requests("q", 0.0)}

    @precondition(lambda self: self.numbers)
    @rule(data=st.data())
    def reply(self, data: st.DataObject) -> None:
        """Answer some questions of any request, however old."""
        number = data.draw(st.sampled_from(sorted(self.numbers)))
        some = data.draw(st.lists(st.sampled_from(self.numbers[number]), unique=True))
        settled = self.inquiries.settle(Reply(number, told(*some)), 0.0)
        answered = {answer.question for answer in settled.told}
        assert answered <= self.here & set(some)
        self.here -= answered

    @precondition(lambda self: self.numbers)
    @rule(data=st.data())
    def expire(self, data: st.DataObject) -> None:
        """Let any request expire."""
        missing = self.inquiries.expire(data.draw(st.sampled_from(sorted(self.numbers))))
        assert missing <= self.here
        self.here -= missing

    @rule()
    def lose(self) -> None:
        """Lose the connection."""
        self.inquiries.clear()
        self.here.clear()

    @invariant()
    def count(self) -> None:
        """As many are on their way as have not ended."""
        assert len(self.inquiries) == len(self.here)


TestTravelling = Travelling.TestCase


def test_history_is_present_at_first() -> None:
    """Who has asked nothing takes history for present, and has no doubt."""
    presence = Presence()
    assert presence.present(1_000.0)
    assert not presence.doubted(1_000.0)


def test_history_is_absent_after_ten_seconds_without_a_reply() -> None:
    """From the first request without a reply 10 s count, whatever else is asked; any reply ends the absence."""
    presence = Presence()
    presence.asked(5.0)
    presence.asked(9.0)
    assert presence.present(5.0 + ABSENT_S - 0.01)
    assert not presence.present(5.0 + ABSENT_S)
    presence.answered()
    assert presence.present(100.0)


def test_a_doubt_begins_after_a_second() -> None:
    """A request unanswered for a second asks for probes, and so does absence."""
    presence = Presence()
    presence.asked(5.0)
    assert not presence.doubted(5.0 + DOUBT_S - 0.01)
    assert presence.doubted(5.0 + DOUBT_S)
    presence.answered()
    assert not presence.doubted(50.0)
    presence.asked(60.0)
    assert not presence.present(70.0)
    presence.interrupted(71.0)
    assert presence.doubted(71.0)


def test_time_without_a_connection_does_not_count() -> None:
    """A lost connection takes the seconds before it with it; absence outlives it."""
    presence = Presence()
    presence.asked(0.0)
    presence.interrupted(9.0)
    assert presence.present(30.0)
    presence.asked(30.0)
    presence.interrupted(41.0)
    assert not presence.present(41.0)
    assert not presence.present(500.0)
