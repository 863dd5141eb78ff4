"""Columns as frames of pandas, which is imported when the first one is asked for: an extra, and slow to import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from tickwire_client.errors import MissingExtra

if TYPE_CHECKING:
    import pandas as pd

TIMES: Final = ("ts", "received", "start")
"""Columns that are microseconds since 1970 UTC."""


def require() -> Any:
    """Return pandas.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import pandas  # noqa: PLC0415, ICN001 - an extra; importing it takes half a second
    except ImportError as error:
        raise MissingExtra("this needs pandas: pip install 'tickwire-client[dataframe]'", name="pandas") from error
    return pandas


def ticks(columns: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """Return one row per tick, or candle; times become `datetime64[us, UTC]`.

    Raises:
        MissingExtra: pandas is not installed.
    """
    pandas = require()
    frame = pandas.DataFrame(dict(columns))
    for name in TIMES:
        if name in frame:
            frame[name] = frame[name].astype("int64").astype("datetime64[us]").dt.tz_localize("UTC")
    return frame


def gaps(columns: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """Return one row per gap; `last` is `Int64`, `<NA>` where nobody can say.

    Raises:
        MissingExtra: pandas is not installed.
    """
    frame = require().DataFrame(dict(columns))
    kinds = {"epoch": "int64", "first": "int64", "last": "Int64", "final": "bool"}
    return frame.astype(kinds)
