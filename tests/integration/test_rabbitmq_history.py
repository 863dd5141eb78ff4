"""History over a real RabbitMQ: who asks, who answers, and who reads the log."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiormq
import pytest
import uvloop
from aiormq.abc import AbstractChannel
from prometheus_client import CollectorRegistry
from yarl import URL

from services.broker import topology
from services.broker.history import PAGE_BYTES, Answer, CandleQuestion, Question
from services.broker.metrics import BrokerMetrics
from services.broker.ports import LostReason, Outgoing, Route
from services.broker.rabbitmq import RabbitDesk, RabbitHistory, RabbitSink, RabbitTickLog, inquiries
from services.broker.rabbitmq.addresses import parse_addresses
from services.broker.rabbitmq.link import dial
from services.broker.rabbitmq.queues import declare_requests
from services.broker.rpc import encode_replies
from services.errors import HistoryUnavailable
from services.market.candle import Candle
from services.market.position import Position
from services.market.symbol import Symbol
from services.runtime.clock import SystemClock
from tests.brokers import Broker
from tests.eventually import eventually
from tests.histories import LogRecord, Shelf, running
from tests.listeners import control, heartbeat, line, outgoing, running_sink

LOOPS = {"uvloop": uvloop.new_event_loop}
A, B = Symbol("A"), Symbol("B")
LATEST = Question(A, None)


@dataclass
class Asker:
    """A history port, and what is counted of it."""

    port: RabbitHistory
    registry: CollectorRegistry

    def count(self, name: str) -> float:
        """The value of `tickwire_rpc_<name>`."""
        return self.registry.get_sample_value(f"tickwire_rpc_{name}") or 0.0

    @property
    def connected(self) -> bool:
        """Whether the connection stands."""
        return self.registry.get_sample_value("tickwire_broker_connected", {"role": "rpc"}) == 1

    async def answer(self, question: Question = LATEST, *, deadline: float = 20.0) -> Answer:
        """Ask until there is an answer, as a gateway does."""
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline
        while True:
            try:
                return await self.port.ask(question)
            except HistoryUnavailable:
                assert loop.time() < end, "nobody answers"
                await asyncio.sleep(0.05)


@asynccontextmanager
async def asking(url: str) -> AsyncIterator[Asker]:
    """An asker that is connected."""
    metrics = BrokerMetrics(registry := CollectorRegistry())
    asker = Asker(RabbitHistory(url, name="test", clock=SystemClock(), metrics=metrics), registry)
    async with running(asker.port.run()) as task:
        await eventually(lambda: asker.connected or task.done(), deadline=30)
        yield asker


@asynccontextmanager
async def answering(url: str, shelf: Shelf) -> AsyncIterator[RabbitDesk]:
    """An open desk; whoever asks first waits until it is there."""
    desk = RabbitDesk(url, name="desk", clock=SystemClock())
    desk.open()
    async with running(desk.run(shelf)):
        yield desk


@asynccontextmanager
async def pair(url: str) -> AsyncIterator[tuple[Asker, RabbitDesk, Shelf]]:
    """An asker, and a desk that has answered it; its shelf has five ticks of A."""
    shelf = Shelf()
    shelf.put(A, 5)
    async with asking(url) as asker, answering(url, shelf) as desk:
        await asker.answer()
        shelf.asked.clear()
        yield asker, desk, shelf


async def until_asked(asker: Asker, shelf: Shelf) -> None:
    """Ask until *shelf* was asked too."""
    async with asyncio.timeout(20):
        while not shelf.asked:
            await asker.answer()


@asynccontextmanager
async def operator(url: str) -> AsyncIterator[AbstractChannel]:
    """A channel of somebody else, to do harm over."""
    async with aiormq.connect(url) as connection:
        yield await connection.channel()


# ------------------------------------------------------------------------------------------- asking, answering


async def test_a_question_is_answered(vhost_url: str) -> None:
    """The answer has the ticks after the position, byte for byte; the newest alone where no position was given."""
    async with pair(vhost_url) as (asker, _, _):
        answer = await asker.port.ask(Question(A, Position(1, 3)))
        assert answer == Answer(
            Question(A, Position(1, 3)),
            ((Position(1, 4), line("A", 4)), (Position(1, 5), line("A", 5))),
            Position(1, 5),
            None,
        )
        assert (await asker.port.ask(LATEST)).ticks == ((Position(1, 5), line("A", 5)),)
        assert asker.port.present
        assert asker.count("seconds_count") >= 2


async def test_questions_of_a_turn_travel_together(vhost_url: str) -> None:
    """1,200 symbols asked at once are three requests, and each asker gets its own answer."""
    async with pair(vhost_url) as (asker, _, shelf):
        symbols = [Symbol(f"S{n}") for n in range(1_200)]
        for symbol in symbols:
            shelf.put(symbol, 2)
        before = asker.count("requests_total")
        answers = await asyncio.gather(*(asker.port.ask(Question(s, Position(1, 1))) for s in symbols))
        assert asker.count("requests_total") - before == 3
        assert [a.ticks for a in answers] == [((Position(1, 2), line(s, 2)),) for s in symbols]


async def test_the_same_question_is_asked_once(vhost_url: str) -> None:
    """100 who ask the same share one answer, also where one of them is cancelled meanwhile."""
    async with pair(vhost_url) as (asker, _, shelf):
        tasks = [asyncio.create_task(asker.port.ask(LATEST)) for _ in range(100)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError)
        assert {r.top for r in results[1:] if isinstance(r, Answer)} == {Position(1, 5)}
        assert shelf.asked == [LATEST]


async def test_a_long_history_comes_in_pages(vhost_url: str) -> None:
    """5,000 ticks are read page after page, each below 64 KiB, without a hole or a repetition."""
    async with pair(vhost_url) as (asker, _, shelf):
        shelf.put(A, 5_000)
        at, seqs, pages = Position(1, 0), list[int](), 0
        while at.seq < 5_000:
            answer = await asker.answer(Question(A, at))
            assert sum(len(text) for _, text in answer.ticks) <= PAGE_BYTES
            seqs += [position.seq for position, _ in answer.ticks]
            assert answer.top is not None
            at, pages = answer.top, pages + 1
        assert seqs == list(range(1, 5_001))
        assert pages > 5


async def test_full_pages_of_many_symbols_come_in_many_replies(vhost_url: str) -> None:
    """30 symbols with a full page each, asked at once, are all answered."""
    async with pair(vhost_url) as (asker, _, shelf):
        symbols = [Symbol(f"S{n}") for n in range(30)]
        for symbol in symbols:
            shelf.put(symbol, 1_000)
        before = asker.count("replies_total")
        answers = await asyncio.gather(*(asker.answer(Question(s, Position(1, 0))) for s in symbols))
        assert all(a.ticks[0][0] == Position(1, 1) and len(a.ticks) > 300 for a in answers)
        assert asker.count("replies_total") - before >= 30


async def test_candles_are_answered(vhost_url: str) -> None:
    """A question about candles gets as many as it asks for, oldest first."""
    async with pair(vhost_url) as (asker, _, shelf):
        shelf.made = tuple(Candle(A, 60, n * 60_000_000, 0, 1, 5, 9, 4, 6, 3, 2, 2) for n in range(10))
        answer = await asker.port.candles(CandleQuestion(A, 60, 0, 3))
        assert answer.candles == shelf.made[-3:]


async def test_an_answer_may_take_several_frames(vhost_url: str) -> None:
    """6,000 candles, more than a frame of 131,072 bytes holds, come as one answer."""
    async with pair(vhost_url) as (asker, _, shelf):
        shelf.made = tuple(Candle(A, 60, n * 60_000_000, 0, 1, 5, 9, 4, 6, 3, 2, 2) for n in range(6_000))
        assert (await asker.port.candles(CandleQuestion(A, 60, 0, 6_000))).candles == shelf.made


async def test_replies_that_nobody_waits_for_are_dropped(vhost_url: str) -> None:
    """A reply to no open request is counted as late, one that no codec wrote as malformed; the next one counts."""
    async with pair(vhost_url) as (asker, _, _), operator(vhost_url) as channel:
        assert asker.port._hatch is not None
        queue = asker.port._hatch.queue
        for body in (*encode_replies(1_000_000, []), b"{}"):
            await channel.basic_publish(body, exchange=topology.RPC.name, routing_key=queue)
        await eventually(lambda: asker.count("late_total") == asker.count("malformed_total") == 1)
        assert (await asker.port.ask(LATEST)).top == Position(1, 5)


async def test_two_desks_share_the_questions(vhost_url: str) -> None:
    """Of 40 requests each of two desks answers some, and each request is answered by one."""
    async with pair(vhost_url) as (asker, _, first), answering(vhost_url, second := Shelf()):
        second.put(A, 5)
        await until_asked(asker, second)
        first.asked.clear()
        second.asked.clear()
        for n in range(40):
            await asker.port.ask(Question(A, Position(1, n)))
        assert len(first.asked) + len(second.asked) == 40
        assert min(len(first.asked), len(second.asked)) > 5


def _serve_for_ever(url: str) -> None:
    """Answer in a process of its own, to be killed."""
    shelf = Shelf()
    shelf.put(A, 5)
    desk = RabbitDesk(url, name="victim", clock=SystemClock())
    desk.open()
    asyncio.run(desk.run(shelf))


async def test_a_killed_desk_leaves_its_requests_to_the_other(vhost_url: str) -> None:
    """With one of two desks frozen and killed under load, every question gets its answer."""
    process = multiprocessing.get_context("spawn").Process(target=_serve_for_ever, args=(vhost_url,))
    process.start()
    try:
        async with pair(vhost_url) as (asker, _, shelf):
            await _until_another_answers(asker, shelf)
            assert process.pid
            os.kill(process.pid, signal.SIGSTOP)  # so that it surely has requests when it dies
            tasks = [asyncio.create_task(asker.answer(Question(A, Position(1, n)))) for n in range(20)]
            await eventually(lambda: shelf.asked)
            process.kill()
            answers = await asyncio.gather(*tasks)
            assert [a.question.after for a in answers] == [Position(1, n) for n in range(20)]
    finally:
        process.kill()
        await asyncio.to_thread(process.join, 10)


async def _until_another_answers(asker: Asker, shelf: Shelf) -> None:
    async with asyncio.timeout(30):
        answered = 0
        while answered <= len(shelf.asked):
            await asker.answer(Question(B, Position(1, answered)))
            answered += 1


async def test_a_closed_desk_takes_nothing(vhost_url: str) -> None:
    """A closed desk leaves questions unanswered, keeps nothing of them, and answers again once open."""
    async with pair(vhost_url) as (asker, desk, shelf):
        desk.close()
        await eventually(lambda: desk._shift is not None and not desk._shift._tag)
        before = asker.count("timeouts_total")
        with pytest.raises(HistoryUnavailable):
            await asker.port.ask(LATEST)
        assert not shelf.asked
        assert asker.count("timeouts_total") == before + 1
        desk.open()
        assert (await asker.answer()).top == Position(1, 5)
        assert asker.port.present


@pytest.mark.slow
async def test_history_is_absent_after_ten_seconds_and_comes_back(vhost_url: str) -> None:
    """Asked in vain for 10 s, history is absent; when a desk opens again, probes notice without being asked."""
    loop = asyncio.get_running_loop()
    async with pair(vhost_url) as (asker, desk, _):
        desk.close()
        await eventually(lambda: desk._shift is not None and not desk._shift._tag)
        began = loop.time()
        with pytest.raises(HistoryUnavailable):
            await asker.port.ask(LATEST)
        await eventually(lambda: not asker.port.present, deadline=15)
        assert 9.5 < loop.time() - began < 13
        assert asker.registry.get_sample_value("tickwire_rpc_present") == 0
        desk.open()
        await eventually(lambda: asker.port.present, deadline=5)
        assert asker.registry.get_sample_value("tickwire_rpc_present") == 1


async def test_without_a_connection_nobody_waits() -> None:
    """An asker that is not connected refuses at once, and still counts history as present."""
    history = RabbitHistory("amqp://127.0.0.1:1/", name="test", clock=SystemClock())
    async with running(history.run()):
        with pytest.raises(HistoryUnavailable, match="not connected"):
            await history.ask(LATEST)
        assert history.present


async def test_too_many_questions_are_refused(vhost_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the bound the next question is refused at once, and the others are answered."""
    monkeypatch.setattr(inquiries, "IN_FLIGHT", 10)
    async with pair(vhost_url) as (asker, _, _):
        asked = (asker.port.ask(Question(A, Position(1, n))) for n in range(11))
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(r) for r in results] == [*[Answer] * 10, HistoryUnavailable]
        assert "10 questions wait already" in str(results[10])


async def test_a_restarted_broker_serves_again(vhost_url: str, broker_control: Broker) -> None:
    """Asker and desk outlive a killed broker: questions fail at once meanwhile, and are answered afterwards."""
    async with pair(vhost_url) as (asker, _, _):
        await asyncio.to_thread(broker_control.ctl, "eval", "mnesia:sync_log().")
        await asyncio.to_thread(broker_control.stop, hard=True)
        try:
            await eventually(lambda: not asker.connected, deadline=20)
            with pytest.raises(HistoryUnavailable):
                await asker.port.ask(LATEST)
        finally:
            await asyncio.to_thread(broker_control.start)
        assert (await asker.answer(deadline=60)).top == Position(1, 5)


async def test_connections_closed_by_an_operator_are_made_again(vhost_url: str, broker_control: Broker) -> None:
    """Connections that an operator closes are made again, and the desk is open there as before."""
    async with pair(vhost_url) as (asker, _, _):
        await asyncio.to_thread(broker_control.ctl, "close_all_connections", "test")
        await eventually(lambda: _lost(asker.registry, LostReason.CLOSED), deadline=20)
        assert (await asker.answer()).top == Position(1, 5)


def _lost(registry: CollectorRegistry, reason: LostReason) -> float | None:
    labels = {"role": "rpc", "reason": reason.value}
    return registry.get_sample_value("tickwire_broker_reconnects_total", labels)


async def test_a_deleted_request_queue_is_made_again(vhost_url: str) -> None:
    """A request queue that an operator deletes is declared again by the desk."""
    async with pair(vhost_url) as (asker, _, _), operator(vhost_url) as channel:
        await channel.queue_delete(topology.HISTORY)
        assert (await asker.answer()).top == Position(1, 5)


async def test_a_deleted_exchange_is_made_again(vhost_url: str) -> None:
    """An exchange that an operator deletes and makes anew gets both bindings back."""
    async with pair(vhost_url) as (asker, _, _), operator(vhost_url) as channel:
        await channel.exchange_delete(topology.RPC.name)
        await channel.exchange_declare(topology.RPC.name, exchange_type=topology.RPC.kind, durable=True)
        assert (await asker.answer()).top == Position(1, 5)


async def test_bytes_of_others_are_dropped(vhost_url: str) -> None:
    """A request that no codec of ours wrote is counted and acked, and the next one is answered."""
    metrics = BrokerMetrics(registry := CollectorRegistry())
    desk = RabbitDesk(vhost_url, name="desk", clock=SystemClock(), metrics=metrics)
    desk.open()
    async with running(desk.run(Shelf())), asking(vhost_url) as asker, operator(vhost_url) as channel:
        await asker.answer()
        for _ in range(20):
            await channel.basic_publish(b"{}", exchange=topology.RPC.name, routing_key=topology.HISTORY_KEY)
        await eventually(lambda: registry.get_sample_value("tickwire_rpc_malformed_total") == 20)
        await asker.answer()


async def test_an_alarm_lets_questions_fail_in_time(vhost_url: str, broker_control: Broker) -> None:
    """Under a memory alarm questions fail within a second, nothing piles up, and afterwards all is well."""
    async with pair(vhost_url) as (asker, _, _):
        await asyncio.to_thread(broker_control.ctl, "set_vm_memory_high_watermark", "0")
        try:
            await _until_blocked(asker)
            loop = asyncio.get_running_loop()
            began = loop.time()
            results = await asyncio.gather(
                *(asker.port.ask(Question(A, Position(1, n))) for n in range(5_000)), return_exceptions=True
            )
            assert loop.time() - began < 3
            assert all(isinstance(r, HistoryUnavailable) for r in results)
            assert asker.count("unsent_total") >= 10
            assert asker.port._hatch is not None
            assert asker.port._hatch._link.transport.get_write_buffer_size() < 10_000
        finally:
            await asyncio.to_thread(broker_control.ctl, "set_vm_memory_high_watermark", "0.4")
        assert (await asker.answer(deadline=60)).top == Position(1, 5)


async def _until_blocked(asker: Asker) -> None:
    """Ask on, since the alarm is told behind a publish only."""
    async with asyncio.timeout(20):
        while asker.registry.get_sample_value("tickwire_broker_blocked", {"role": "rpc"}) != 1:
            await asyncio.gather(asker.port.ask(LATEST), return_exceptions=True)


@pytest.mark.parametrize(("addresses", "kind"), [(1, "classic"), (3, "quorum")])
async def test_the_request_queue_fits_the_broker(
    vhost_url: str, broker_control: Broker, addresses: int, kind: str
) -> None:
    """One address: a classic queue; three: a quorum queue; one that exists is used as it is."""
    url, other = ",".join([vhost_url] * addresses), ",".join([vhost_url] * (4 - addresses))
    async with pair(url) as (asker, _, _):
        listed = await asyncio.to_thread(
            broker_control.ctl, "list_queues", "name", "type", "durable", "--no-table-headers"
        )
        (row,) = [text.split() for text in listed.splitlines() if text.startswith(topology.HISTORY)]
        assert (row[1].rpartition("_")[2].removeprefix("rabbit_"), row[2]) == (kind, "true")
        async with answering(other, second := Shelf()):
            await until_asked(asker, second)


async def test_many_desks_may_start_at_once(vhost_url: str) -> None:
    """Twenty who look for the queue and make it at the same time all find it, of whatever kind."""
    (address,) = parse_addresses(vhost_url, name="test")
    async with AsyncExitStack() as stack:
        links = [await stack.enter_async_context(dial(address, SystemClock())) for _ in range(20)]
        channels = await asyncio.gather(*(declare_requests(link, 1 + 2 * (n % 2)) for n, link in enumerate(links)))
        assert all(not channel.is_closed for channel in channels)


DEFINITIONS = Path(__file__).parents[2] / "deploy" / "rabbitmq" / "definitions.json"


def _rights(name: str) -> Iterator[list[str]]:
    definitions = json.loads(DEFINITIONS.read_text())
    for section, command, words in (
        ("permissions", "set_permissions", ("user", "configure", "write", "read")),
        ("topic_permissions", "set_topic_permissions", ("user", "exchange", "write", "read")),
    ):
        yield from ([command, *(r[word] for word in words)] for r in definitions[section] if r["user"] == name)


@asynccontextmanager
async def user(broker: Broker, url: str, name: str) -> AsyncIterator[str]:
    """The address for a user with the rights that the shipped definitions give to *name*."""
    for command in (["add_user", name, "secret"], *_rights(name)):
        await asyncio.to_thread(broker.ctl, *command)
    try:
        yield str(URL(url).with_user(name).with_password("secret"))
    finally:
        await asyncio.to_thread(broker.ctl, "delete_user", name)


async def test_the_shipped_rights_suffice(vhost_url: str, broker_control: Broker) -> None:
    """Gateway and producer may ask, history may answer, read the log and keep candles, each as its own user."""
    async with AsyncExitStack() as stack:
        urls = [
            await stack.enter_async_context(user(broker_control, vhost_url, name))
            for name in ("gateway", "producer", "history")
        ]
        shelf = Shelf()
        shelf.put(A, 5)
        await stack.enter_async_context(answering(urls[2], shelf))
        log, record = await stack.enter_async_context(reading(urls[2]))
        for url in urls[:2]:
            asker = await stack.enter_async_context(asking(url))
            assert (await asker.answer()).top == Position(1, 5)
        sink = RabbitSink(urls[1], name="test", clock=SystemClock())
        await stack.enter_async_context(running_sink(sink))
        sink.publish([*written(1, 5), control(heartbeat("x"))])
        log.store([candle(1)])
        # A stream just made anew may answer 541 once, upon which the reader connects again: over 5 s were seen.
        await eventually(
            lambda: record.positions == ticks(1, 5) and record.controls and record.candles, deadline=20
        )


# ----------------------------------------------------------------------------------------------------- reading


@asynccontextmanager
async def reading(url: str, *, keep_s: float = 120.0) -> AsyncIterator[tuple[RabbitTickLog, LogRecord]]:
    """A log that is being read."""
    log, record = RabbitTickLog(url, name="reader", clock=SystemClock()), LogRecord()
    async with running(log.run(record, keep_s=keep_s)) as task:
        await eventually(lambda: record.connections or task.done(), deadline=30)
        await eventually(lambda: log._post is not None or task.done(), deadline=30)
        yield log, record


def written(first: int, last: int) -> list[Outgoing]:
    """One message per tick of A."""
    return [outgoing(A, seq) for seq in range(first, last + 1)]


def ticks(first: int, last: int) -> list[tuple[Symbol, int]]:
    """What a record of them has."""
    return [(A, seq) for seq in range(first, last + 1)]


async def test_history_may_start_before_any_producer(vhost_url: str) -> None:
    """A reader on an empty broker gets ticks, repeats and control messages of a producer that comes later."""
    sink = RabbitSink(vhost_url, name="test", clock=SystemClock())
    async with reading(vhost_url) as (_, record), running_sink(sink):
        sink.publish(
            [*written(1, 3), outgoing(B, 1, 2), control(heartbeat("x")), outgoing(A, 3, route=Route.LAST)]
        )
        await eventually(lambda: len(record.positions) == 6 and record.controls)
        assert record.positions == [*ticks(1, 3), (B, 1), (B, 2), (A, 3)]
        assert record.controls == [heartbeat("x")]
    assert not record.lost


async def test_what_no_codec_wrote_is_skipped(vhost_url: str) -> None:
    """Entries and control messages of others are told one by one, and what surrounds them is read."""
    sink = RabbitSink(vhost_url, name="test", clock=SystemClock())
    async with reading(vhost_url) as (_, record), running_sink(sink):
        sink.publish(
            [*written(1, 2), Outgoing(Route.TICK, "A", "no-id", b"no tick"), *written(3, 4), control(b"{")]
        )
        await eventually(lambda: len(record.positions) == 4 and len(record.malformed) == 2)
        assert record.positions == ticks(1, 4)


async def test_the_log_is_read_from_the_past(vhost_url: str) -> None:
    """A reader that starts late gets what was written within the time it keeps, in order."""
    sink = RabbitSink(vhost_url, name="test", clock=SystemClock())
    async with running_sink(sink) as told:
        sink.publish(written(1, 3_000))
        await eventually(lambda: len(told.settled) == 3_000, deadline=20)
        async with reading(vhost_url) as (_, record):
            await eventually(lambda: len(record.positions) == 3_000, deadline=20)
    assert record.positions == ticks(1, 3_000)
    assert len(record.batches) < 1_000  # what one read brings comes together
    assert record.skips == 1  # the beginning; offsets follow each other since


async def test_a_cut_connection_costs_no_entry(vhost_url: str, broker_control: Broker) -> None:
    """Closed by an operator in the middle, reading goes on after the last entry: all once."""
    sink = RabbitSink(vhost_url, name="test", clock=SystemClock())
    async with reading(vhost_url) as (_, record):
        for turn in range(3):
            async with running_sink(sink):
                sink.publish(written(1_000 * turn + 1, 1_000 * turn + 1_000))
                await eventually(lambda: record.batches, deadline=20)
                await asyncio.to_thread(broker_control.ctl, "close_all_connections", "test")
                await eventually(lambda: record.connections == turn + 2, deadline=20)  # noqa: B023 - asked at once
        await eventually(lambda: len(record.positions) >= 3_000, deadline=20)
    assert record.positions == ticks(1, 3_000)
    assert set(record.lost) == {LostReason.CLOSED}


async def test_a_restarted_broker_costs_no_entry(vhost_url: str, broker_control: Broker) -> None:
    """Killed and started again, the broker's log is read on after the last entry: all once."""
    sink = RabbitSink(vhost_url, name="test", clock=SystemClock())
    async with reading(vhost_url) as (log, record), running_sink(sink) as told:
        sink.publish(written(1, 500))
        await eventually(lambda: len(told.settled) == 500 and len(record.positions) == 500, deadline=20)
        await asyncio.to_thread(broker_control.ctl, "eval", "mnesia:sync_log().")
        await asyncio.to_thread(broker_control.stop, hard=True)
        try:
            await eventually(lambda: LostReason.REFUSED in record.lost, deadline=20)
            log.store([candle(0)])  # dropped without a word
        finally:
            await asyncio.to_thread(broker_control.start)
        await eventually(lambda: told.connections == 2 and record.connections >= 2, deadline=60)
        sink.publish(written(501, 1_000))
        await eventually(lambda: len(record.positions) >= 1_000, deadline=60)
        assert record.positions == ticks(1, 1_000)


async def test_a_deleted_log_is_read_from_its_start(vhost_url: str) -> None:
    """A log that an operator deletes is declared again, and read from its beginning, whatever was read before."""
    sink = RabbitSink(vhost_url, name="test", clock=SystemClock())
    async with reading(vhost_url) as (_, record), running_sink(sink) as told, operator(vhost_url) as channel:
        sink.publish(written(1, 300))
        await eventually(lambda: len(record.positions) == 300, deadline=20)
        await channel.queue_delete(topology.LOG)
        await eventually(lambda: record.connections == 2, deadline=20)
        # As a producer does whose messages are not answered: a channel may still know the log that is gone.
        sink.reconnect()
        await eventually(lambda: told.connections == 2, deadline=20)
        sink.publish(written(301, 310))
        await eventually(lambda: len(told.settled) == 10, deadline=20)
        await eventually(lambda: len(record.positions) == 310, deadline=20)
    assert record.positions == ticks(1, 310)
    assert record.skips == 2  # the beginning, and the log made anew


async def test_rereading_begins_again(vhost_url: str) -> None:
    """After `reread` the log comes once more from its past, over the same connection, and then goes on."""
    sink = RabbitSink(vhost_url, name="test", clock=SystemClock())
    async with reading(vhost_url) as (log, record), running_sink(sink):
        sink.publish(written(1, 300))
        await eventually(lambda: len(record.positions) == 300, deadline=20)
        log.reread()
        await eventually(lambda: len(record.positions) == 600, deadline=20)
        sink.publish(written(301, 310))
        await eventually(lambda: len(record.positions) == 610, deadline=20)
        assert record.positions == [*ticks(1, 300), *ticks(1, 310)]
    assert not record.lost
    assert record.skips == 2


def candle(n: int, symbol: Symbol = A) -> Candle:
    """A candle of minute *n*."""
    return Candle(symbol, 60, n * 60_000_000, 0, 1, 5, 9, 4, 6, 3, 2, 2)


async def test_candles_are_kept(vhost_url: str) -> None:
    """3,000 finished candles come back to who wrote them, and from the first one on to who comes later."""
    made = [candle(n) for n in range(3_000)]
    async with reading(vhost_url) as (log, record):
        log.store(made)
        log.store([])
        await eventually(lambda: len(record.candles) == 3_000, deadline=20)
        assert record.candles == made
    async with reading(vhost_url) as (_, later):
        await eventually(lambda: len(later.candles) == 3_000, deadline=20)
        assert later.candles == made


async def test_candles_are_dropped_without_a_connection(vhost_url: str) -> None:
    """What is stored while nobody takes it is counted as dropped."""
    metrics = BrokerMetrics(registry := CollectorRegistry())
    log = RabbitTickLog(vhost_url, name="reader", clock=SystemClock(), metrics=metrics)
    log.store([candle(1), candle(2)])
    assert registry.get_sample_value("tickwire_candles_stored_total", {"outcome": "dropped"}) == 2
