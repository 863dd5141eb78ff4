"""Log lines: one form for our events and the libraries'."""

from __future__ import annotations

import json
import logging
import sys
import warnings
from collections.abc import Iterator

import pytest
import structlog
from aiohttp.http_exceptions import LineTooLong

from services.telemetry import logs


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def _lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_what_is_no_http_is_not_quoted(capsys: pytest.CaptureFixture[str]) -> None:
    """A header that aiohttp refuses, and would quote with the token in it, is in no line; other errors are."""
    logs.configure("info", "json")
    server = logging.getLogger("aiohttp.server")

    server.error("Error handling request", exc_info=LineTooLong(b"Bearer secret"))
    server.error("Error handling request", exc_info=ValueError("ours"))

    (line,) = _lines(capsys)
    assert "ours" in str(line["exception"])


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """An event is one JSON object with its fields, logger, level and UTC time."""
    logs.configure("info", "json")

    structlog.get_logger("tickwire.session").info("session.opened", symbols=3)

    (line,) = _lines(capsys)
    assert str(line.pop("timestamp")).endswith("Z")
    assert line == {"event": "session.opened", "symbols": 3, "logger": "tickwire.session", "level": "info"}


def test_auto_is_json_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal the style `auto` is JSON."""
    logs.configure("info", "auto")

    structlog.get_logger("tickwire.a").info("a.b")

    assert _lines(capsys)[0]["event"] == "a.b"


def test_auto_is_pretty_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the style `auto` is pretty, with colours."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    logs.configure("info", "auto")

    structlog.get_logger("tickwire.a").info("a.b", n=1)

    text = capsys.readouterr().out
    assert "a.b" in text
    assert "\x1b[" in text


def test_pretty_without_colours(capsys: pytest.CaptureFixture[str]) -> None:
    """The style `pretty` off a terminal has no escape codes and shows no local variables of a traceback."""
    logs.configure("info", "pretty")

    def fail() -> None:
        password = "hunter" + "2"
        raise ValueError(len(password))

    try:
        fail()
    except ValueError:
        structlog.get_logger("tickwire.a").exception("a.failed")

    text = capsys.readouterr().out
    assert "a.failed" in text
    assert "ValueError: 7" in text
    assert "\x1b[" not in text
    assert "hunter2" not in text


def test_level(capsys: pytest.CaptureFixture[str]) -> None:
    """Events below the level are not written."""
    logs.configure("warning", "json")

    log = structlog.get_logger("tickwire.a")
    log.info("a.low")
    log.warning("a.high")

    assert [line["event"] for line in _lines(capsys)] == ["a.high"]


def test_libraries_use_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    """A stdlib logger's line has the same form, its arguments filled in and its traceback as text."""
    logs.configure("info", "json")

    try:
        {"y": 1}["x"]
    except KeyError:
        logging.getLogger("aiohttp.server").exception("failed %s", "here")

    (line,) = _lines(capsys)
    assert (line["event"], line["logger"], line["level"]) == ("failed here", "aiohttp.server", "error")
    assert "KeyError: 'x'" in str(line["exception"])


def test_aiormq_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    """The AMQP library speaks only of errors, even where we debug."""
    logs.configure("debug", "json")

    logging.getLogger("aiormq.connection").warning("low")
    logging.getLogger("aiormq.connection").error("high")

    assert [line["event"] for line in _lines(capsys)] == ["high"]


def test_again_replaces(capsys: pytest.CaptureFixture[str]) -> None:
    """Configuring twice does not write twice."""
    logs.configure("info", "json")
    logs.configure("info", "json")

    structlog.get_logger("tickwire.a").info("a.b")

    assert len(_lines(capsys)) == 1


def test_a_logger_made_before_follows(capsys: pytest.CaptureFixture[str]) -> None:
    """A logger made at import follows the configuration that comes later."""
    log = structlog.get_logger("tickwire.early")
    logs.configure("info", "json")

    log.info("early.said")

    assert _lines(capsys)[0]["logger"] == "tickwire.early"


def test_odd_values_do_not_break_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A field that JSON cannot hold appears as its repr."""
    logs.configure("info", "json")

    structlog.get_logger("tickwire.a").info("a.b", what=ValueError("x"), keys={1: 2})

    (line,) = _lines(capsys)
    assert (line["what"], line["keys"]) == ("ValueError('x')", {"1": 2})


def test_warnings_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """A Python warning becomes a log line instead of text on standard error."""
    logs.configure("info", "json")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)

    assert _lines(capsys)[0]["logger"] == "py.warnings"
