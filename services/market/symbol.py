"""A symbol: the one place where its spelling is checked."""

from __future__ import annotations

import re
from typing import Final, NewType

from services.errors import BadSymbol

Symbol = NewType("Symbol", str)
"""A checked symbol: safe in a routing key, a metric's documentation and a JSON string without escapes."""

PATTERN: Final = r"^[A-Z0-9][A-Z0-9.\-]{0,15}$"
_MATCH: Final = re.compile(r"[A-Z0-9][A-Z0-9.\-]{0,15}").fullmatch


def parse_symbol(text: object) -> Symbol:
    """Return *text* as a symbol.

    Raises:
        BadSymbol: *text* is not a string or does not match `PATTERN`.
    """
    if not isinstance(text, str):
        raise BadSymbol(f"a symbol is a string that matches {PATTERN}, not {type(text).__name__}")
    if _MATCH(text) is None:
        raise BadSymbol(f"symbol {text[:32]!r} does not match {PATTERN}")
    return Symbol(text)
