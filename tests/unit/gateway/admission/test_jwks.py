"""Keys that are fetched: when, for whom, and what counts meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from gateway.admission.authorities import JwtAuthority
from gateway.admission.authority import Reason, TokenRefused
from gateway.admission.fetchplan import EXTRA_S
from gateway.admission.jwks import FetchedKeys
from services.errors import KeysUnavailable
from tests.eventually import eventually, turns
from tests.handclock import START_S, HandClock
from tests.issuer import POLICY, Issuer


class Desk:
    """An address by hand: each fetch waits until it is answered."""

    def __init__(self) -> None:
        self.fetches = 0
        self._answers: asyncio.Queue[bytes | KeysUnavailable] = asyncio.Queue()

    def answer(self, answer: bytes | KeysUnavailable) -> None:
        """Answer the fetch under way, or the next one."""
        self._answers.put_nowait(answer)

    async def fetch(self) -> bytes:
        """Wait for an answer."""
        self.fetches += 1
        answer = await self._answers.get()
        if isinstance(answer, KeysUnavailable):
            raise answer
        return answer


ISSUER = Issuer({"one": ("ES256", 0), "two": ("ES256", 1), "three": ("ES256", 2)})
DOWN = KeysUnavailable("down")


@pytest.fixture(name="desk")
def _desk() -> Desk:
    """The address."""
    return Desk()


@pytest.fixture(name="clock")
def _clock() -> HandClock:
    """The clock of the keys, and of the tokens."""
    return HandClock()


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failure nothing is fetched by itself while a test runs, however slow it is."""
    monkeypatch.setattr("gateway.admission.fetchplan.RETRY_S", 60.0)


@pytest.fixture(name="keys")
async def _keys(desk: Desk, clock: HandClock) -> AsyncIterator[FetchedKeys]:
    """The keys, being fetched."""
    keys = FetchedKeys(desk.fetch, POLICY.algorithms, clock)
    running = asyncio.create_task(keys.run())
    yield keys
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


@pytest.fixture(name="authority")
def _authority(keys: FetchedKeys, clock: HandClock) -> JwtAuthority:
    """Who asks for them."""
    return JwtAuthority(keys, POLICY, clock)


async def _refused(authority: JwtAuthority, name: str, clock: HandClock) -> Reason:
    with pytest.raises(TokenRefused) as caught:
        await authority.check(ISSUER.token(START_S + clock.now, name))
    return caught.value.reason


async def _begun(desk: Desk, keys: FetchedKeys, *names: str) -> None:
    desk.answer(ISSUER.document(*names))
    await eventually(lambda: keys.figures().fetched == 1)
    await turns()


async def test_the_first_tokens_wait_for_the_first_set(
    authority: JwtAuthority, desk: Desk, clock: HandClock
) -> None:
    """Clients that come before the first set wait for it, and one fetch serves all of them."""
    checks = [asyncio.create_task(authority.check(ISSUER.token(START_S, "one"))) for _ in range(100)]
    await turns()
    assert not any(check.done() for check in checks)
    desk.answer(ISSUER.document("one"))

    assert {found.subject for found in await asyncio.gather(*checks)} == {"u"}
    assert (desk.fetches, clock.now) == (1, 0)


async def test_nobody_can_tell_before_the_first_set(authority: JwtAuthority, desk: Desk, clock: HandClock) -> None:
    """While no set ever came, a token is neither good nor bad, and asking does not wait where no fetch runs."""
    desk.answer(DOWN)
    with pytest.raises(KeysUnavailable):
        await authority.check(ISSUER.token(START_S + clock.now, "one"))
    await turns()
    with pytest.raises(KeysUnavailable):
        await asyncio.wait_for(authority.check(ISSUER.token(START_S, "one", header={"kid": None})), timeout=1)


async def test_a_known_key_waits_for_nothing(
    authority: JwtAuthority, desk: Desk, keys: FetchedKeys, clock: HandClock
) -> None:
    """A token whose key is known is checked without giving the loop a turn, also while a fetch is under way."""
    await _begun(desk, keys, "one")
    clock.now = 100
    unknown = asyncio.create_task(_refused(authority, "two", clock))
    await eventually(lambda: desk.fetches == 2)

    check = authority.check(ISSUER.token(START_S + clock.now, "one"))
    with pytest.raises(StopIteration):
        check.send(None)

    desk.answer(ISSUER.document("one"))
    assert await unknown is Reason.UNKNOWN_KEY


async def test_a_new_key_is_accepted_with_one_fetch(
    authority: JwtAuthority, desk: Desk, keys: FetchedKeys, clock: HandClock
) -> None:
    """The first token of a new key brings the fetch that has it; the withdrawn key is refused from then on."""
    await _begun(desk, keys, "one")
    clock.now = 10
    check = asyncio.create_task(authority.check(ISSUER.token(START_S + clock.now, "two")))
    desk.answer(ISSUER.document("two"))

    assert (await check).subject == "u"
    assert desk.fetches == 2
    assert await _refused(authority, "one", clock) is Reason.UNKNOWN_KEY


async def test_an_outage_changes_nothing_for_known_keys(
    authority: JwtAuthority, desk: Desk, keys: FetchedKeys, clock: HandClock
) -> None:
    """While the address is down known keys count on, others are refused, and they cause one fetch in 60 s."""
    await _begun(desk, keys, "one")
    with capture_logs() as lines:
        for minute in range(10):
            clock.now = 10 + minute * EXTRA_S
            desk.answer(DOWN)
            for _ in range(50):
                clock.now += 1
                assert await _refused(authority, "two", clock) is Reason.UNKNOWN_KEY
                assert keys.figures().failed == minute + 1
            assert (await authority.check(ISSUER.token(START_S + clock.now, "one"))).subject == "u"
        clock.now += EXTRA_S
        desk.answer(ISSUER.document("one", "two"))
        await authority.check(ISSUER.token(START_S + clock.now, "two"))
    assert [line["event"] for line in lines] == ["keys.unfetched", "keys.fetched"]


@pytest.mark.parametrize("answer", [b"", b"<html></html>", b'{"keys":[]}', b"[" * 9_999])
async def test_a_bad_answer_keeps_the_old_keys(
    authority: JwtAuthority, desk: Desk, keys: FetchedKeys, clock: HandClock, answer: bytes
) -> None:
    """An answer that is no set of keys counts as a failure, and the old keys count on."""
    await _begun(desk, keys, "one")
    clock.now = 10
    desk.answer(answer)

    assert await _refused(authority, "two", clock) is Reason.UNKNOWN_KEY
    assert (keys.figures().failed, keys.figures().keys) == (1, 1)
    assert (await authority.check(ISSUER.token(START_S + clock.now, "one"))).subject == "u"


async def test_a_stalled_fetch_holds_a_token_for_3_s(
    authority: JwtAuthority, desk: Desk, keys: FetchedKeys, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token waits for a fetch no longer than the bound, here a short one, and is refused then."""
    await _begun(desk, keys, "one")
    monkeypatch.setattr("gateway.admission.jwks.WAIT_S", 0.05)
    clock.now = 10

    assert await _refused(authority, "two", clock) is Reason.UNKNOWN_KEY
    assert desk.fetches == 2
    assert keys.figures().failed == 0


async def test_a_bogus_name_is_remembered(
    authority: JwtAuthority, desk: Desk, keys: FetchedKeys, clock: HandClock
) -> None:
    """A name that the newest set has not is refused at once while another fetch is under way."""
    await _begun(desk, keys, "one")
    desk.answer(ISSUER.document("one"))
    assert await _refused(authority, "two", clock) is Reason.UNKNOWN_KEY
    clock.now = EXTRA_S - 1
    waiting = asyncio.create_task(keys.seek("three"))
    await turns()
    assert await asyncio.wait_for(_refused(authority, "two", clock), timeout=1) is Reason.UNKNOWN_KEY
    assert waiting.done()
    assert desk.fetches == 2


async def test_figures(desk: Desk, keys: FetchedKeys, clock: HandClock, authority: JwtAuthority) -> None:
    """The metrics show keys, fetches by result, and the time since the last good fetch."""
    clock.now = 5
    assert keys.figures().age == 5
    await _begun(desk, keys, "one", "two")
    clock.now = 12

    shown = {reading.name: dict(reading.values) for reading in authority.readings()}
    assert shown == {
        "keys": {"": 2},
        "keys_fetches": {"ok": 1, "failed": 0},
        "keys_age_seconds": {"": 7},
        "keys_unloaded": {"": 0},
    }
