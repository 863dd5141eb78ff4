"""`tickwire new-key`."""

from __future__ import annotations

import re
import time

import pytest

from gateway.admission.apikeys import parse_api_keys, recognize
from tickwire import cli


def _made(argv: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """Return the key that was said and the line that was printed."""
    assert cli.main(["new-key", *argv]) == 0
    captured = capsys.readouterr()
    (key,) = re.findall(r"twk_\S+", captured.err)
    assert key not in captured.out
    return key, captured.out


def test_the_key_fits_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The key goes to the standard error, its line to the standard output, ready for the file."""
    argv = [
        "desk-7",
        "--symbols",
        "AAPL, msft*",
        "--max-symbols",
        "9",
        "--max-rate",
        "2.5",
        "--max-connections",
        "3",
    ]
    key, line = _made([*argv, "--expires", "60"], capsys)

    assert line.endswith("\n")
    now = time.time()
    found = recognize(key, parse_api_keys(line.encode()), now)
    assert (found.subject, set(found.names), found.prefixes) == ("desk-7", {"AAPL"}, ("MSFT",))
    assert (found.max_symbols, found.max_rate, found.max_connections) == (9, 2.5, 3)
    assert found.expires is not None
    assert now + 50 < found.expires <= now + 60


def test_everything_for_ever_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    """A key that is told nothing else may follow every symbol and does not end; each one is another."""
    (one, first), (two, second) = _made(["u"], capsys), _made(["u"], capsys)
    keys = parse_api_keys((first + second).encode())

    assert one != two
    for key in (one, two):
        found = recognize(key, keys, time.time())
        assert found.everything
        assert found.expires is None


@pytest.mark.parametrize(
    ("argv", "fault"),
    [
        (["a b"], "who has the key is 1 to 256 characters"),
        (["a", "--symbols", "tick.#"], "symbols is a list of"),
        (["a", "--max-rate", "nan"], "max_rate is a number from 0.1 to 100"),
        (["a", "--max-symbols", "0"], "max_symbols is a whole number from 1"),
    ],
)
def test_bad_arguments(argv: list[str], fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An argument that no line may say is an error that names it, and there is no key."""
    assert cli.main(["new-key", *argv]) == 2

    captured = capsys.readouterr()
    assert fault in captured.err
    assert "twk_" not in captured.err
    assert captured.out == ""


def test_a_key_cannot_have_ended(capsys: pytest.CaptureFixture[str]) -> None:
    """An end that is not in the future is refused."""
    with pytest.raises(SystemExit):
        cli.main(["new-key", "a", "--expires", "0"])
    assert "holds for 1 second at least" in capsys.readouterr().err
