"""The table of closes."""

from __future__ import annotations

import pytest

from gateway.closing import GONE, NO_CODE, OTHER, SEEN, TABLE, by_code, label, sendable


def test_table_is_the_designs() -> None:
    """The table holds the nine codes of the protocol, and says which of them are worth coming back after."""
    assert {close.code: close.reconnect for close in TABLE} == {
        1012: True,
        1013: True,
        4401: True,
        4408: True,
        4429: True,
        1008: False,
        1009: False,
        4501: False,
        4503: False,
    }


def test_labels_are_distinct() -> None:
    """Every entry has a metric label of its own."""
    labels = [label(close) for close in (*TABLE, *SEEN)]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("close", [*TABLE, *SEEN])
def test_every_entry_is_found_by_its_code(close: object) -> None:
    """A code leads back to its entry."""
    assert by_code(close.code) is close  # type: ignore[attr-defined]


def test_foreign_codes_share_a_label() -> None:
    """A client may invent codes, and none of them makes a label of its own; no code at all is 1006."""
    assert by_code(4999) is OTHER
    assert by_code(3000) is OTHER
    assert by_code(None) is GONE


def test_the_table_can_be_sent() -> None:
    """Each code that the gateway says may stand in a close frame, 1005 and 1006 may not; reasons fit into one."""
    assert all(sendable(close) and len(close.reason.encode()) <= 123 for close in TABLE)
    assert not sendable(NO_CODE)
    assert not sendable(GONE)
