"""The examples for curl, CSV files and notebooks, as a stranger runs them, against a demo."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.fenced import ROOT
from tests.guestdemo import demo

EXAMPLES: Final = ROOT / "examples"
PATIENCE_S: Final = 60

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", name="base")
def _base() -> Iterator[str]:
    """A demo's address."""
    with demo(TICKWIRE_RATE="200") as url:
        yield url


def _run(
    *command: str | Path, folder: Path, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **(variables or {})}
    return subprocess.run(  # noqa: S603 - ours
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def test_curl(base: str, tmp_path: Path) -> None:
    """The script shows directory, quotes, a table, ticks and candles, and two seconds of events."""
    done = _run(EXAMPLES / "curl" / "curl.sh", base, folder=tmp_path)

    assert (done.returncode, done.stderr) == (0, "") or "timed out" in done.stderr
    answers = [part.partition("\n")[2].strip() for part in done.stdout.split(f"{base}/v1/")[1:]]
    answers = [answer.rpartition("\n#")[0] or answer for answer in answers]
    symbols, quotes, table, ticks, candles, events = answers
    assert [one["symbol"] for one in json.loads(symbols)["symbols"]] != []
    assert json.loads(quotes)["quotes"].keys() == {"AAPL", "MSFT"}
    assert [row["symbol"] for row in csv.DictReader(table.splitlines())] == ["AAPL", "MSFT"]
    assert len(json.loads(ticks)["ticks"]) == 2
    assert json.loads(candles)["interval"] == "1m"
    assert "event: snapshot" in events
    assert "event: ticks" in events
    assert "id: 1" in events


def test_csv(base: str, tmp_path: Path) -> None:
    """The poll writes one head, a row per quote that has changed, and goes on in the same file."""
    file = tmp_path / "quotes.csv"
    poll = (sys.executable, EXAMPLES / "csv" / "poll.py", base, file, "AAPL", "MSFT")
    for _ in range(2):
        done = _run(*poll, "--every", "0.5", "--polls", "2", folder=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")

    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    assert {row["symbol"] for row in rows} == {"AAPL", "MSFT"}
    for symbol in ("AAPL", "MSFT"):
        seqs = [int(row["seq"]) for row in rows if row["symbol"] == symbol]
        assert len(seqs) >= 2
        assert seqs == sorted(set(seqs))


@pytest.mark.parametrize(
    ("symbols", "sentence"), [(["ZZZZ"], "HTTP 404: "), (["aapl!"], "HTTP 400: ")], ids=["unknown", "no symbol"]
)
def test_csv_refused(base: str, tmp_path: Path, symbols: list[str], sentence: str) -> None:
    """What the gateway will never answer ends the poll at once, with the gateway's own sentence."""
    file = tmp_path / "quotes.csv"
    done = _run(sys.executable, EXAMPLES / "csv" / "poll.py", base, file, *symbols, folder=tmp_path)

    assert (done.returncode, done.stdout, file.exists()) == (1, "", False)
    assert done.stderr.startswith(sentence)
    assert symbols[0] in done.stderr


def test_csv_unreachable(tmp_path: Path) -> None:
    """An address where nobody listens ends the poll at once, with the reason."""
    file = tmp_path / "quotes.csv"
    done = _run(sys.executable, EXAMPLES / "csv" / "poll.py", "http://127.0.0.1:1", file, "AAPL", folder=tmp_path)

    assert (done.returncode, file.exists()) == (1, False)
    assert done.stderr.startswith("the gateway cannot be reached: ")


def test_notebook(base: str, tmp_path: Path) -> None:
    """The notebook's cells run one after another and end with a row of figures per symbol."""
    variables = {"TICKWIRE_URL": base, "SECONDS": "3"}
    script = EXAMPLES / "notebook" / "volatility.py"
    done = _run(sys.executable, "-W", "error", script, folder=tmp_path, variables=variables)

    assert (done.returncode, done.stderr) == (0, "")
    first, *_, aapl, msft = done.stdout.splitlines()
    assert first.endswith(" ticks, 0 left out, 0 gaps")
    assert (aapl.split()[0], msft.split()[0]) == ("AAPL", "MSFT")
