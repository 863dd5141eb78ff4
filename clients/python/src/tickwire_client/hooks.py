"""Whom a feed tells what, besides its ticks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from tickwire_client.events import Complaint, EpochChange, Event, Gap, SessionChange, Status, Violation


class Callbacks(TypedDict, total=False):
    """The callbacks of `connect`; see `Hooks`."""

    on_gap: Callable[[Gap], object] | None
    on_epoch: Callable[[EpochChange], object] | None
    on_session: Callable[[SessionChange], object] | None
    on_status: Callable[[Status], object] | None
    on_violation: Callable[[Violation], object] | None
    on_complaint: Callable[[Complaint], object] | None
    on_frame: Callable[[str], object] | None
    on_command: Callable[[str], object] | None
    on_connection: Callable[[str], object] | None
    on_attempt: Callable[[str], object] | None
    on_certificate: Callable[[Mapping[str, Any]], object] | None


@dataclass(frozen=True)
class Hooks:
    """Each is called from the event loop as its frame is read, so before the ticks of later frames are handed out.

    What one raises ends the feed.  *on_frame* gets the text of every frame, *on_command* of every command (without
    its token), *on_connection* the address of every connection that stands: for recorders and checkers.
    *on_attempt* gets the address before it is connected to, *on_certificate* the gateway's certificate, as
    `ssl.SSLSocket.getpeercert` returns it, before the *on_connection* of the same connection: for monitors.
    """

    on_gap: Callable[[Gap], object] | None = None
    on_epoch: Callable[[EpochChange], object] | None = None
    on_session: Callable[[SessionChange], object] | None = None
    on_status: Callable[[Status], object] | None = None
    on_violation: Callable[[Violation], object] | None = None
    on_complaint: Callable[[Complaint], object] | None = None
    on_frame: Callable[[str], object] | None = None
    on_command: Callable[[str], object] | None = None
    on_connection: Callable[[str], object] | None = None
    on_attempt: Callable[[str], object] | None = None
    on_certificate: Callable[[Mapping[str, Any]], object] | None = None

    def tell(self, event: Event) -> None:
        """Call whoever wants to know of *event*."""
        hooks: dict[type, Callable[[Any], object] | None] = {
            Gap: self.on_gap,
            EpochChange: self.on_epoch,
            SessionChange: self.on_session,
            Status: self.on_status,
            Violation: self.on_violation,
            Complaint: self.on_complaint,
        }
        if (hook := hooks.get(type(event))) is not None:
            hook(event)
