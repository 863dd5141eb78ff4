"""Where the watcher's token comes from."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from services.errors import BadInput
from tickwire.bearer import VARIABLE, bearer


def test_none() -> None:
    """Without a file and a variable, or with an empty one, there is no token."""
    assert bearer(None, {}) is None
    assert bearer(None, {VARIABLE: ""}) is None


def test_variable() -> None:
    """The variable is the token."""
    assert bearer(None, {VARIABLE: "x"}) == "x"


async def test_file(tmp_path: Path) -> None:
    """The file goes before the variable, and is read again each time, without the blanks around the token."""
    file = tmp_path / "token"
    file.write_text("one\n")

    found = await asyncio.to_thread(bearer, file, {VARIABLE: "x"})

    assert callable(found)
    assert await found() == "one"
    file.write_text("two\n")
    assert await found() == "two"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        (b"", "empty, but must hold a token"),
        (b"\xff\xfe", "not a token, which is ASCII text"),
    ],
)
def test_bad_file(content: bytes | None, words: str, tmp_path: Path) -> None:
    """A file that is not there, is empty or is no text is refused before anything is opened."""
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(BadInput, match=f"--token-file .*token: {words}"):
        bearer(file, {})
