"""What was answered a moment ago, for whoever asks the same.  Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MOST_ENTRIES: Final = 20_000
"""Answers kept, a few hundred bytes each beside what they carry."""
MOST_BYTES: Final = 16_777_216
"""Bytes that the answers carry: 250 pages of history."""


class Memo(Generic[K, V]):
    """Keeps values within two bounds; who came first goes first.  Times are seconds of a monotonic clock."""

    def __init__(self, *, entries: int = MOST_ENTRIES, size: int = MOST_BYTES) -> None:
        self._most_entries, self._most_bytes = entries, size
        self._kept: OrderedDict[K, tuple[float, int, V]] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: K, since: float) -> V | None:
        """Return the value of *key*, if it was put at *since* or later."""
        found = self._kept.get(key)
        return found[2] if found is not None and found[0] >= since else None

    def put(self, key: K, value: V, size: int, now: float) -> None:
        """Keep *value*, of *size* bytes, in place of what *key* had."""
        self._drop(key)
        self._kept[key] = (now, size, value)
        self.bytes += size
        while len(self._kept) > self._most_entries or (self.bytes > self._most_bytes and len(self._kept) > 1):
            self._drop(next(iter(self._kept)))

    def expire(self, until: float) -> None:
        """Forget what was put before *until*."""
        while self._kept and next(iter(self._kept.values()))[0] < until:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: K) -> None:
        gone = self._kept.pop(key, None)
        if gone is not None:
            self.bytes -= gone[1]
