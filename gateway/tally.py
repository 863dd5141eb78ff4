"""The tally: what recovery did, over all symbols of a gateway since its start.  Pure; read by metrics."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.frames import GapReason, Rejection


@dataclass(slots=True)
class Tally:
    """Plain counters."""

    repeated: int = 0
    """Live ticks at or below *newest* in its epoch, dropped."""
    fenced: int = 0
    """Live ticks of an earlier epoch, dropped."""
    holes: int = 0
    """Times that a live tick did not follow *newest*."""
    questions: int = 0
    """Questions put to history."""
    repaired: int = 0
    """Ticks that followers got from history."""
    replayed: int = 0
    """Ticks of the past that clients asked for with `resume`, and got."""
    refused: int = 0
    """Replays that ended because the client's allowance was used up."""
    snapshots: int = 0
    """Ticks that followers got as snapshots."""
    conflated: int = 0
    """Ticks that followers were told to be skipped."""
    epochs: int = 0
    """Later epochs that followers were told."""
    gaps: dict[GapReason, int] = field(default_factory=lambda: dict.fromkeys(GapReason, 0))
    """Gaps that followers were told."""
    missing: dict[GapReason, int] = field(default_factory=lambda: dict.fromkeys(GapReason, 0))
    """Ticks named in gaps whose end is known."""
    rejections: dict[Rejection, int] = field(default_factory=lambda: dict.fromkeys(Rejection, 0))
    """Symbols of `subscribe` commands that were rejected, as clients were told."""
    rebinds: int = 0
    """Symbols bound again because they were silent below a mark."""
