"""A file that is read again when it changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, NamedTuple, TypeVar

import structlog

from services.errors import BadInput

LOOK_S: Final = 1.0
"""Seconds between two looks at a file; a change is read when two looks see the same, so that no half is read."""

T = TypeVar("T")
_log = structlog.get_logger("tickwire.admission")


class _Version(NamedTuple):
    """What tells one version of a file from another."""

    device: int
    number: int
    size: int
    modified: int
    changed: int


class WatchedFile(Generic[T]):
    """What *parse* makes of the file at *path*, of which at most *most_bytes* + 1 bytes are read.

    Reads it at once (blocks).

    Raises:
        OSError: it cannot be read.
        BadInput: *parse* refuses it.
    """

    def __init__(self, path: Path, parse: Callable[[bytes], T], *, most_bytes: int) -> None:
        self._path, self._parse, self._most_bytes = path, parse, most_bytes
        self.failures = 0
        """Versions of the file that could not be used; `content` stayed."""
        self._tried = self._seen = _version(path)
        self.content = self._read()
        """Of the newest version that could be used."""

    async def run(self) -> None:
        """Look for ever; ends by cancellation only."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self.look()

    async def look(self) -> None:
        """Read the file if it has changed before the last look, and not since."""
        version = await asyncio.to_thread(_version, self._path)
        settled, self._seen = version == self._seen, version
        if not settled or version == self._tried:
            return
        self._tried = version
        try:
            self.content = await asyncio.to_thread(self._read)
        except (BadInput, OSError) as error:
            self.failures += 1
            reason = error.strerror if isinstance(error, OSError) else str(error)
            _log.error("keys.file_bad", path=str(self._path), reason=reason)
        else:
            _log.info("keys.file_read", path=str(self._path))

    def _read(self) -> T:
        with self._path.open("rb") as file:
            return self._parse(file.read(self._most_bytes + 1))


def _version(path: Path) -> _Version | None:
    """Return which version of *path* is there; None: none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return _Version(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
