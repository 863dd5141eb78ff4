"""A file that is read again when it changes."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.admission.watchedfile import WatchedFile
from services.errors import BadInput


def _number(content: bytes) -> int:
    try:
        return int(content)
    except ValueError:
        raise BadInput("it is no number") from None


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    """A file that says 1."""
    path = tmp_path / "number"
    path.write_text("1", encoding="utf-8")
    return path


@pytest.fixture(name="file")
def _file(path: Path) -> WatchedFile[int]:
    """The file, watched."""
    return WatchedFile(path, _number, most_bytes=10)


async def _settle(file: WatchedFile[int]) -> None:
    await file.look()
    await file.look()


def _write(path: Path, text: str) -> None:
    """Change *path* in place, as an editor may; the clock of the file system moves on meanwhile."""
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1))


def _delete(path: Path) -> None:
    path.unlink()


def _rewrite(path: Path, text: str) -> None:
    """Change *path* as a deployment does: a new file takes its place."""
    new = path.with_name("new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


async def test_a_change_is_read_once_it_has_settled(file: WatchedFile[int], path: Path) -> None:
    """A new version is read at the second look that sees it, not at the first, and then never again."""
    assert file.content == 1
    _rewrite(path, "2")
    with capture_logs() as lines:
        await file.look()
        assert file.content == 1
        await file.look()
        assert file.content == 2
        await _settle(file)
    assert [line["event"] for line in lines] == ["keys.file_read"]


async def test_a_file_that_goes_on_changing_waits(file: WatchedFile[int], path: Path) -> None:
    """A version that the next look does not see any more is never read."""
    _rewrite(path, "broken")
    await file.look()
    _rewrite(path, "3")
    await _settle(file)
    assert (file.content, file.failures) == (3, 0)


async def test_a_change_in_place_is_seen(file: WatchedFile[int], path: Path) -> None:
    """A file that is written in place, with as many bytes, is read as well."""
    _write(path, "4")
    await _settle(file)
    assert file.content == 4


@pytest.fixture(name="link")
def _link(path: Path) -> Path:
    """A symbolic link to the file."""
    link = path.with_name("link")
    link.symlink_to(path)
    return link


def _turn(link: Path, text: str) -> None:
    """Let *link* point to another file."""
    other, new = link.with_name("other"), link.with_name("new")
    other.write_text(text, encoding="utf-8")
    new.symlink_to(other)
    new.replace(link)


async def test_a_link_that_turns_is_seen(link: Path) -> None:
    """A symbolic link that points elsewhere is another file, as where Kubernetes replaces a secret."""
    file = await asyncio.to_thread(WatchedFile[int], link, _number, most_bytes=10)
    _turn(link, "5")
    await _settle(file)
    assert file.content == 5


async def test_a_broken_version_keeps_the_last_one(file: WatchedFile[int], path: Path) -> None:
    """A broken version counts and is logged once, and the content stays until a good one comes."""
    _rewrite(path, "broken")
    with capture_logs() as lines:
        await _settle(file)
        await _settle(file)
    assert (file.content, file.failures) == (1, 1)
    assert [(line["event"], line["reason"]) for line in lines] == [("keys.file_bad", "it is no number")]

    _rewrite(path, "6")
    await _settle(file)
    assert (file.content, file.failures) == (6, 1)


async def test_a_file_that_is_gone_keeps_the_last_one(file: WatchedFile[int], path: Path) -> None:
    """A file that is deleted counts and is logged once, and is read when it is back."""
    _delete(path)
    with capture_logs() as lines:
        await _settle(file)
        await _settle(file)
    assert (file.content, file.failures) == (1, 1)
    assert [line["reason"] for line in lines] == ["No such file or directory"]

    _rewrite(path, "7")
    await _settle(file)
    assert file.content == 7


def test_a_file_that_cannot_be_used_at_first(path: Path) -> None:
    """A file that is missing or broken at the start is an error."""
    with pytest.raises(FileNotFoundError):
        WatchedFile(path.with_name("gone"), _number, most_bytes=10)
    path.write_text("broken", encoding="utf-8")
    with pytest.raises(BadInput):
        WatchedFile(path, _number, most_bytes=10)


def test_no_more_is_read_than_may_be(path: Path) -> None:
    """Of a large file one byte more than it may have is read, so that whoever parses it can tell."""
    path.write_text("1" * 1_000, encoding="utf-8")
    assert WatchedFile(path, len, most_bytes=10).content == 11
