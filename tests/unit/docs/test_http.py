"""docs/http.md against the code: its problems, parameters, numbers and settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from gateway.settings import GatewaySettings
from gateway.wires.http import query
from gateway.wires.problem import TABLE
from services.runtime.settings import variable

ROOT: Final = Path(__file__).parents[3]
PAGE: Final = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
ROUTES: Final = {
    "/v1/symbols": query.SYMBOLS_PARAMETERS,
    "/v1/quotes": query.QUOTES_PARAMETERS,
    "/v1/ticks/SYMBOL": query.TICKS_PARAMETERS,
    "/v1/candles/SYMBOL": query.CANDLES_PARAMETERS,
}


def test_problems() -> None:
    """The table of problems has every code of ours, with its status."""
    rows = re.findall(r"^\| (`[\w`, ]+`) \| (\d{3}) \|", PAGE, re.MULTILINE)
    listed = {code: int(status) for codes, status in rows for code in re.findall(r"`(\w+)`", codes)}

    assert listed == {kind.code: kind.status for kind in TABLE}


def test_parameters() -> None:
    """Each path is listed with its own parameters, their bounds and defaults."""
    rows = dict(re.findall(r"^\| `GET (\S+)` \| [^|]+ \| ([^|]+) \|$", PAGE, re.MULTILINE))

    assert {
        path: set(re.findall(r"`([a-z]+)`", row.replace("`1s` or `1m`; `1m`", ""))) for path, row in rows.items()
    } == {path: set(known) for path, known in ROUTES.items()}
    for path, most, default in (
        ("/v1/symbols", query.MOST_LISTED, query.LISTED),
        ("/v1/ticks/SYMBOL", query.MOST_TICKS, query.TICKS),
        ("/v1/candles/SYMBOL", query.MOST_CANDLES, query.CANDLES),
    ):
        assert f"`limit` (1 to {most:,}; {default:,})" in rows[path]
    assert f"(1 to {query.MOST_QUOTED}," in rows["/v1/quotes"]


def test_settings() -> None:
    """Every variable that the page names is a setting of the gateway, with its default."""
    named = re.findall(r"`(TICKWIRE_[A-Z_]+)`(?: \(([\d,]+)\))?", PAGE)

    assert named
    for name, default in named:
        field = {variable(each): each for each in GatewaySettings.model_fields}[name]
        value = GatewaySettings.model_fields[field].default
        assert not default or float(default.replace(",", "")) == value
