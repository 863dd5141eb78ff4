"""Authorities whose keys are in a file that changes while they run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from gateway.admission.apikeys import FILE_BYTES, KEY_BYTES, key_text, line, parse_api_keys
from gateway.admission.authorities import Gatekeeper, JwtAuthority, KeysAuthority
from gateway.admission.authority import Reason, TokenRefused
from gateway.admission.keyfile import KeyFile
from gateway.admission.keyset import DOCUMENT_BYTES, Keys, parse_keys
from gateway.admission.watchedfile import WatchedFile
from tests.eventually import eventually
from tests.handclock import START_S, HandClock
from tests.issuer import POLICY, Issuer

ISSUER = Issuer({"one": ("ES256", 0), "two": ("ES256", 1)})
ONE, TWO = key_text(bytes(KEY_BYTES)), key_text(b"\1" * KEY_BYTES)
Run = Callable[[Gatekeeper], Awaitable[None]]


@pytest.fixture(name="run")
async def _run(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Run]:
    """Runs an authority in the background, with 100 looks a second."""
    monkeypatch.setattr("gateway.admission.watchedfile.LOOK_S", 0.01)
    tasks: list[asyncio.Task[None]] = []

    async def run(authority: Gatekeeper) -> None:
        tasks.append(asyncio.create_task(authority.run()))

    yield run
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _written(path: Path, content: bytes) -> Path:
    new = path.with_name("new")
    new.write_bytes(content)
    return new.replace(path)


def _unloaded(authority: Gatekeeper) -> float:
    shown = {reading.name: dict(reading.values) for reading in authority.readings()}
    return shown["keys_unloaded"][""]


async def _reason(authority: Gatekeeper, text: str) -> Reason | None:
    try:
        await authority.check(text)
    except TokenRefused as error:
        return error.reason
    return None


async def test_api_keys_come_and_go(tmp_path: Path, run: Run) -> None:
    """A key added to the file lets in and a key taken out does not, without a restart; a slip changes nothing."""
    path = _written(tmp_path / "keys", line("u", ONE, {}).encode())
    file = await asyncio.to_thread(WatchedFile, path, parse_api_keys, most_bytes=FILE_BYTES)
    authority = KeysAuthority(file, HandClock())
    await run(authority)
    assert await _reason(authority, ONE) is None

    _written(path, line("v", TWO, {}).encode())
    await eventually(lambda: len(file.content) == 1 and "v" in {found.subject for found in file.content.values()})
    assert await _reason(authority, ONE) is Reason.UNKNOWN_KEY
    assert (await authority.check(TWO)).subject == "v"

    _written(path, b"a slip")
    await eventually(lambda: _unloaded(authority) == 1)
    assert await _reason(authority, TWO) is None

    _written(path, b"")
    await eventually(lambda: not file.content)
    assert await _reason(authority, TWO) is Reason.UNKNOWN_KEY


async def test_an_issuers_file_rotates(tmp_path: Path, run: Run) -> None:
    """A token counts as soon as the file has its key, and not longer; a slip changes nothing."""
    path = _written(tmp_path / "keys.json", ISSUER.document("one"))

    def parse(document: bytes) -> Keys:
        return parse_keys(document, POLICY.algorithms)

    source = KeyFile(await asyncio.to_thread(WatchedFile, path, parse, most_bytes=DOCUMENT_BYTES))
    authority = JwtAuthority(source, POLICY, HandClock())
    await run(authority)
    one, two = ISSUER.token(START_S, "one"), ISSUER.token(START_S, "two")
    assert (await _reason(authority, one), await _reason(authority, two)) == (None, Reason.UNKNOWN_KEY)

    _written(path, ISSUER.document("two"))
    await eventually(lambda: "two" in source.keys.names)
    assert (await _reason(authority, one), await _reason(authority, two)) == (Reason.UNKNOWN_KEY, None)

    _written(path, b"a slip")
    await eventually(lambda: _unloaded(authority) == 1)
    assert await _reason(authority, two) is None
