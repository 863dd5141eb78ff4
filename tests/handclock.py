"""A clock that stands still until a test moves it."""

from __future__ import annotations

START_S = 1_795_000_000.0
"""What it shows at first, seconds since 1970."""


class HandClock:
    """Both clocks of `services.runtime.clock.Clock`, moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        """Seconds since the test began."""

    def monotonic(self) -> float:
        """Seconds since the test began."""
        return self.now

    def wall_us(self) -> int:
        """Microseconds since 1970."""
        return round((START_S + self.now) * 1e6)
