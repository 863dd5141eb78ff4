"""What has been called back, as far as this gateway has heard.  Pure; *now* is seconds since 1970."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor
from typing import Final

from gateway.admission.entitlement import Entitlement
from services.broker.revocations import Revocation

REMEMBERED_S: Final = 8 * 86_400
"""Seconds after which a revocation is forgotten: a token lives 7 days at most."""
REMEMBERED: Final = 250_000
"""Most subjects and token ids together, 52 MB at 36 characters each; beyond them the first heard of goes."""


class Revoked:
    """Every revocation heard of in the last `REMEMBERED_S`; hearing of one again changes nothing."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._at: dict[tuple[str | None, str | None], float] = {}
        """When each subject, or token id, was called back last, in the order of hearing of it."""
        self.overflowed = 0
        """How many were forgotten before their time, since there were too many."""

    def __len__(self) -> int:
        return len(self._at)

    def add(self, revocations: Sequence[Revocation], now: float) -> None:
        """Remember *revocations*."""
        for revocation in revocations:
            self._add((revocation.subject, revocation.token_id), revocation.at)
        self._forget(now - REMEMBERED_S)

    def holds(self, entitlement: Entitlement) -> bool:
        """Whether *entitlement* comes from a token that was called back.

        Of a subject every token is that was issued up to the second of the call, or that does not say when.
        """
        token_id, subject = entitlement.token_id, entitlement.subject
        if token_id is not None and (None, token_id) in self._at:
            return True
        at = None if subject is None else self._at.get((subject, None))
        return at is not None and (entitlement.issued is None or floor(entitlement.issued) <= at)

    def _add(self, name: tuple[str | None, str | None], at: float) -> None:
        known = self._at.get(name)
        if known is None or at > known:
            self._at.pop(name, None)  # to the end: it is the latest again
            self._at[name] = at

    def _forget(self, before: float) -> None:
        """Forget from the front, where all that follow came later; one between younger ones waits for them."""
        while self._at:
            name, at = next(iter(self._at.items()))
            if at < before:
                del self._at[name]
            elif len(self._at) > self._most:
                del self._at[name]
                self.overflowed += 1
            else:
                return
