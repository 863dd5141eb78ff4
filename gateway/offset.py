"""How far two machines' clocks are apart, as the heartbeats of the shards show it.  Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

WINDOW_S: Final = 30
"""Seconds that a window of heartbeats lasts; the smallest of this window and the one before counts."""


class _Windows(NamedTuple):
    """The smallest offsets (µs) of the window that began at *since*, and of the one before (None: none)."""

    since: float
    newest: int
    before: int | None


class ClockOffset:
    """The smallest difference of arrival and heartbeat's time, by shard.

    What a message needs on its way is part of the difference, so the smallest one is the best: with two clocks
    that agree it is the shortest way, a millisecond or two; below zero our clock is behind that of the producer.
    """

    __slots__ = ("_shards",)

    def __init__(self) -> None:
        self._shards: dict[str, _Windows] = {}

    def heard(self, shard: str, offset_us: int, now: float) -> None:
        """A heartbeat of *shard* came *offset_us* microseconds after the time it names; *now*: seconds."""
        windows = self._shards.get(shard)
        if windows is None or now >= windows.since + 2 * WINDOW_S:
            self._shards[shard] = _Windows(now, offset_us, None)
        elif now >= windows.since + WINDOW_S:
            self._shards[shard] = _Windows(now, offset_us, windows.newest)
        elif offset_us < windows.newest:
            self._shards[shard] = windows._replace(newest=offset_us)

    def seconds(self, now: float) -> float | None:
        """Return the offset of the shard that is furthest off; None: no heartbeat came of late.

        Shards that fell silent are forgotten.
        """
        for shard in [s for s, windows in self._shards.items() if now >= windows.since + 2 * WINDOW_S]:
            del self._shards[shard]
        offsets = [w.newest if w.before is None else min(w.newest, w.before) for w in self._shards.values()]
        return max(offsets, key=abs) / 1e6 if offsets else None
