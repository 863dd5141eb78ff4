"""What a feed hands out: it goes on as long as somebody holds it."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

L = TypeVar("L")


class Held(Generic[L]):
    """A context manager that ends *line*; so does letting go of it, as after a `break` out of a loop over it."""

    __slots__ = ("__weakref__", "_end", "_line")

    def __init__(self, line: L, end: Callable[[L], None]) -> None:
        self._line = line
        self._end = weakref.finalize(self, end, line)
        self._end.atexit = False

    def end(self) -> None:
        """What `aclose` does, for callbacks that cannot wait."""
        self._end()

    async def aclose(self) -> None:
        """End it: nothing more comes, not even what waits."""
        self._end()

    def __aiter__(self) -> Self:
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
