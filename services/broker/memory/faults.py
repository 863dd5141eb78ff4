"""What may go wrong, how often, and the one seeded die that decides when.  Pure."""

from __future__ import annotations

import random
from collections.abc import MutableSequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Faults:
    """How unkind the broker is: every probability is in 0..1, none by default; *seed* fixes what happens when.

    The same seed gives the same faults as long as the same calls come in the same order.
    """

    seed: int = 0

    live_loss: float = 0.0
    """Per message: it reaches the log, but no follower."""
    log_loss: float = 0.0
    """Per message: it reaches its followers, but not the log; its sink is told that it was refused."""
    nack: float = 0.0
    """Per message: it reaches nobody; its sink is told that it was refused."""
    repeat: float = 0.0
    """Per message: behind it, one of the 16 newest messages comes to the followers and to the log again."""
    unfollow: float = 0.0
    """Per message and follower: the symbol's flow to this follower ends (`on_unfollowed`)."""
    mute: float = 0.0
    """Per message and follower: from here on nothing of the symbol comes, without notice, until `rebind`."""
    source_end: float = 0.0
    """Per message and source that it reaches: the source's connection ends, and the message with it."""
    sink_end: float = 0.0
    """Per publish: the sink's connection ends, and a random rest of the messages was never read."""
    refuse: float = 0.0
    """Per attempt to connect: it fails."""
    early_follow: float = 0.0
    """Per follow: ticks come before `follow` returns."""
    shuffle: float = 0.0
    """Per batch of confirmations: each comes alone and in no order, instead of one for all."""
    history_lag: float = 0.0
    """Per question: the answer comes from a random earlier state of the log."""
    history_late: float = 0.0
    """Per question: the answer comes after up to `history_late_s`."""
    history_late_s: float = 0.4
    """Seconds; beyond 0.5 the question fails."""
    history_silent: float = 0.0
    """Per question: nobody answers."""
    history_forget: float = 0.0
    """Per question: before the answer, the log drops a random oldest part of the symbol, never the newest tick."""

    @classmethod
    def rough(cls, seed: int) -> Faults:
        """Every fault now and then: about one message in a hundred, one question in ten, meets one."""
        return cls(
            seed=seed,
            live_loss=0.01,
            log_loss=0.005,
            nack=0.005,
            repeat=0.02,
            unfollow=0.002,
            mute=0.002,
            source_end=0.001,
            sink_end=0.001,
            refuse=0.3,
            early_follow=0.3,
            shuffle=0.3,
            history_lag=0.3,
            history_late=0.1,
            history_silent=0.05,
            history_forget=0.002,
        )


class Dice:
    """The seeded die.  A probability of 0 costs no throw, so faults that are off change nothing for the others."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable faults, not secrets

    def hits(self, probability: float) -> bool:
        """Whether something of this *probability* happens now."""
        return probability > 0 and self._random.random() < probability

    def upto(self, most: int) -> int:
        """Return a whole number from 0 to *most*."""
        return self._random.randint(0, most)

    def within(self, most: float) -> float:
        """Return a number from 0 to *most*."""
        return self._random.uniform(0, most)

    def shuffle(self, items: MutableSequence[Any]) -> None:
        """Put *items* in a random order."""
        self._random.shuffle(items)
