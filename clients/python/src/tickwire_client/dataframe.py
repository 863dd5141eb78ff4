"""Columns as frames of pandas, which is imported when the first one is asked for: an extra, and slow to import."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from importlib import import_module
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
    return _required("pandas")


def ticks(columns: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """Return one row per tick, or candle; times become `datetime64[us, UTC]`.

    Raises:
        MissingExtra: pandas is not installed.
    """
    pandas = require()
    numpy = _required("numpy")  # which pandas stands on
    frame = pandas.DataFrame(
        {name: numpy.asarray(v) if isinstance(v, array) else v for name, v in columns.items()}
    )
    for name in TIMES:
        if name in frame:
            frame[name] = frame[name].astype("datetime64[us]").dt.tz_localize("UTC")
    return frame


def gaps(columns: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """Return one row per gap; `last` is `Int64`, `<NA>` where nobody can say.

    Raises:
        MissingExtra: pandas is not installed.
    """
    frame = require().DataFrame(dict(columns))
    kinds = {"epoch": "int64", "first": "int64", "last": "Int64", "final": "bool"}
    return frame.astype(kinds)


def _required(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtra(f"this needs {name}: pip install 'tickwire-client[dataframe]'", name=name) from error
