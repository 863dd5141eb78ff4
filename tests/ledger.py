"""Which commands are not answered yet, and which answer may come now.  Imports nothing of Tickwire's."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.verdicts import Rule

Fault = tuple[Rule, str | None, str]


@dataclass(slots=True, eq=False)
class Request:
    """A command that is not answered in full.  *left* are its names without an answer."""

    id: int
    op: str
    left: set[str] = field(default_factory=set)
    resume: Mapping[str, Any] = field(default_factory=dict)
    snapshot: bool = True
    everything: bool = False
    candles: str | None = None
    """The interval of the candles that it is about; None: ticks."""
    bad_resume: bool = False
    cancelled: set[str] = field(default_factory=set)
    """Names that an unsubscribe was sent for: they may count as pending, and may still be answered before it."""


class Ledger:
    """The commands of one connection."""

    def __init__(self) -> None:
        self.open: dict[int, Request] = {}
        """In the order sent."""
        self._answered: set[int] = set()
        self._everything: set[int] = set()

    def clear(self) -> None:
        """Begin a connection: no id was used on it."""
        self.open.clear()
        self._answered.clear()
        self._everything.clear()

    def sent(self, command: Mapping[str, Any]) -> None:
        """Take note of a well-formed command."""
        names = set(command.get("symbols", ()))
        everything = names == {"*"}
        if command["op"] == "unsubscribe":
            for earlier in self._alike(command.get("candles")):
                earlier.cancelled |= earlier.left if everything else earlier.left & names
        self.open[command["id"]] = Request(
            id=command["id"],
            op=command["op"],
            left=set() if everything else names,
            resume=command.get("resume") or {},
            snapshot=command.get("snapshot", True),
            everything=everything,
            candles=command.get("candles"),
        )

    def find(self, identity: int | None, op: str) -> Request | Fault:
        """Return the command *op* that *identity* answers, or what is wrong with that."""
        request = self.open.get(identity) if identity is not None else None
        if request is not None and request.op == op:
            return request
        if op == "subscribe" and (identity in self._everything or (identity is None and self._everything)):
            return Request(0, op, everything=True)  # a symbol that joined the directory
        twice = identity in self._answered
        return Rule.ANSWERED_TWICE if twice else Rule.UNKNOWN_ID, None, f"id {identity}, as an answer to {op}"

    def take(self, request: Request, symbol: str) -> Iterator[Fault]:
        """Count *symbol* of a subscribe as answered."""
        if symbol not in request.left and not request.everything:
            yield Rule.ANSWERED_TWICE, symbol, f"id {request.id} has no answer for it to come"
        request.left.discard(symbol)
        for earlier in self._before(request):
            if earlier.everything or symbol in earlier.left:
                yield Rule.OUT_OF_ORDER, symbol, f"id {request.id} before id {earlier.id}"

    def drop(self, request: Request, symbols: Collection[str]) -> Iterator[Fault]:
        """Carry an unsubscribe of *symbols* out: what is pending for them is cancelled."""
        for earlier in self._before(request):
            if earlier.op == "subscribe":
                earlier.left.difference_update(earlier.left.copy() if request.everything else symbols)
            elif not earlier.left.isdisjoint(symbols):
                yield Rule.OUT_OF_ORDER, None, f"id {request.id} before id {earlier.id}"

    def pending(self, request: Request, pending: int) -> Fault | None:
        """Return what is wrong with a `pending` that follows what was taken so far."""
        least = len(request.left - request.cancelled)
        if request.everything or least <= pending <= len(request.left):
            return None
        return Rule.PENDING, None, f"pending {pending}, left are {sorted(request.left)[:5]}"

    def answered(self, request: Request) -> None:
        """Close *request*: nothing answers it again, but for names that join `*`."""
        if request.everything and request.op == "subscribe":
            self._everything.add(request.id)
        self.open.pop(request.id, None)
        self._answered.add(request.id)

    def _alike(self, candles: str | None) -> list[Request]:
        """What is about the same candles, or about ticks."""
        return [request for request in self.open.values() if request.candles == candles]

    def _before(self, request: Request) -> Iterator[Request]:
        for earlier in self._alike(request.candles):
            if earlier is request:
                return
            if earlier.op in {"subscribe", "unsubscribe"}:
                yield earlier
