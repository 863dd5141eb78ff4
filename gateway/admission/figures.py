"""What is known of the keys in use, as metrics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.metrics import Reading


@dataclass(frozen=True, slots=True)
class KeyFigures:
    """Figures of one authority."""

    keys: int = 0
    fetched: int = 0
    failed: int = 0
    age: float = 0.0
    """Seconds since the last good fetch."""
    unloaded: int = 0
    """Versions of the file that could not be used."""


def key_readings(figures: KeyFigures) -> Iterator[Reading]:
    """Yield what metrics show of the keys."""
    yield Reading("keys", "Keys that tokens are verified with, or API keys.", "gauge", None, [("", figures.keys)])
    yield Reading(
        "keys_fetches",
        "Fetches of the JSON Web Key set.",
        "counter",
        "result",
        [("ok", figures.fetched), ("failed", figures.failed)],
    )
    yield Reading(
        "keys_age_seconds",
        "Time since the last good fetch of the JSON Web Key set, or since the start; 0 without an address.",
        "gauge",
        None,
        [("", figures.age)],
    )
    yield Reading(
        "keys_unloaded",
        "Versions of a file of keys that could not be used; the last good one counts on.",
        "counter",
        None,
        [("", figures.unloaded)],
    )
