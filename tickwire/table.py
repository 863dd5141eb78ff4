"""The watcher's table, drawn from a board."""

from __future__ import annotations

from decimal import Decimal

from rich import box
from rich.table import Table
from rich.text import Text

from tickwire.board import Board, Row, Seen

_COLUMNS = ("last", "change", "%", "bid", "ask", "size", "volume", "ticks/s", "age")
_STYLES = {1: "green", 0: "", -1: "red"}


def draw(board: Board, url: str, now: float) -> Table:
    """Return the table as it stands at *now* (monotonic seconds)."""
    table = Table(
        title=f"{url}  {board.connection}, feed {board.feed}",
        box=box.SIMPLE,
        title_justify="left",
        collapse_padding=True,
    )
    table.add_column("symbol", style="bold")
    for name in _COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for row in board.rows.values():
        table.add_row(*_cells(row, now))
    if board.violations:
        table.caption = f"{board.violations} frames broke the protocol's cursor rules"
    return table


def line(seen: Seen | str) -> str:
    """Return one tick, or one notice, as a line of text."""
    if isinstance(seen, str):
        return f"- {seen}"
    tick = seen.tick
    return (
        f"{tick.symbol} {tick.epoch}:{tick.seq} {tick.price} {seen.change:+} bid {tick.bid} ask {tick.ask} "
        f"size {tick.size} volume {tick.volume}"
    )


def _cells(row: Row, now: float) -> tuple[Text | str, ...]:
    tick = row.tick
    if tick is None or row.received is None:
        return (row.symbol, *("" for _ in _COLUMNS), row.state)
    style = _STYLES[_sign(row)]
    return (
        row.symbol,
        Text(str(row.last), style=_STYLES[row.direction]),
        Text(_signed(row.change), style=style),
        Text(_signed(row.change_percent), style=style),
        str(tick.bid),
        str(tick.ask),
        f"{tick.size:,}",
        f"{tick.volume:,}",
        f"{row.rate.per_second(now):.1f}",
        f"{now - row.received:.1f} s",
        row.state + (f", {row.gaps} gaps" if row.gaps else ""),
    )


def _signed(change: Decimal | None) -> str:
    return "" if change is None else f"{change:+}"


def _sign(row: Row) -> int:
    change = row.change or 0
    return (change > 0) - (change < 0)
