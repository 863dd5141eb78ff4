"""The arguments of `tickwire load`, up to where clients begin."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from services.runtime import lifecycle
from tickwire import cli
from tickwire.load import command
from tickwire.load.plan import Member
from tickwire.watch import Refused, Target


@pytest.fixture(name="begun")
def _begun(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Target, Sequence[Member], int | None]]:
    """Return what would have begun."""
    found: list[tuple[Target, Sequence[Member], int | None]] = []

    async def load(target: Target, crowd: Sequence[Member], *, seconds: int | None, **_: object) -> None:
        found.append((target, crowd, seconds))

    monkeypatch.setattr(command, "load", load)
    monkeypatch.setattr(lifecycle, "run", lambda main: asyncio.run(main(asyncio.Event())) or 0)
    monkeypatch.delenv(command.TOKEN_FILE, raising=False)
    return found


def test_defaults(begun: list[tuple[Target, Sequence[Member], int | None]]) -> None:
    """Without arguments 100 clients follow 10 each of the producer's 100 symbols, until they are told to end."""
    assert cli.main(["load", "--names="]) == 0

    (target, crowd, seconds) = begun[0]
    assert (target.url, len(crowd), seconds) == ("ws://localhost:8080/v1/stream", 100, None)
    assert (len(crowd[0].names), crowd[0].each) == (100, 10)


def test_arguments(begun: list[tuple[Target, Sequence[Member], int | None]], tmp_path: Path) -> None:
    """Arguments say where to, how many, which symbols, for how long, and as whom."""
    token = tmp_path / "token"
    token.write_text("secret\n")
    words = ["--clients", "3", "--symbols", "9", "--names", "aapl,MSFT,aapl", "--seconds", "60", "--seed", "5"]

    assert cli.main(["load", "ws://h:1/v1/stream", *words, "--token-file", str(token)]) == 0

    (target, crowd, seconds) = begun[0]
    assert (target.url, seconds, len(crowd)) == ("ws://h:1/v1/stream", 60, 3)
    assert (crowd[0].names, crowd[0].each, crowd[0].seed) == (("AAPL", "MSFT"), 2, 5)
    assert target.bearer is not None
    assert "secret" not in repr(target)


def test_token_file_by_variable(
    begun: list[tuple[Target, Sequence[Member], int | None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of the token may be named by a variable, which may be empty."""
    (tmp_path / "token").write_text("secret\n")
    monkeypatch.setenv(command.TOKEN_FILE, "")
    assert cli.main(["load"]) == 0
    monkeypatch.setenv(command.TOKEN_FILE, str(tmp_path / "token"))
    assert cli.main(["load"]) == 0

    assert [target.bearer is not None for target, _, _ in begun] == [False, True]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--clients", "0"], "'0' is not a whole number from 1 to 1,000"),
        (["--clients", "x"], "'x' is not a whole number from 1 to 1,000"),
        (["--symbols", "1001"], "'1001' is not a whole number from 1 to 1,000"),
        (["--seed", "-1"], "'-1' is not a whole number from 0 to 9"),
    ],
)
def test_numbers(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A number out of range is refused with what is allowed."""
    with pytest.raises(SystemExit) as caught:
        cli.main(["load", *words])
    assert caught.value.code == lifecycle.BAD_INPUT
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["http://h/v1/stream"], "the address begins with http:"),
        (["--names", "AAPL,A B"], "symbol 'A B'"),
        (["--ca", "/nowhere.crt"], "--ca /nowhere.crt: No such file"),
        (["--token-file", "/nowhere"], "--token-file /nowhere: No such file"),
    ],
)
def test_bad_input(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An address, a name or a file that is of no use is named, and the exit code is 2."""
    assert cli.main(["load", *words]) == lifecycle.BAD_INPUT
    assert said in capsys.readouterr().err


def test_refused(
    begun: list[tuple[Target, Sequence[Member], int | None]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A gateway that refuses is bad input, with its reason."""

    async def load(*_: object, **__: object) -> None:
        raise Refused("the gateway answered HTTP 404")

    monkeypatch.setattr(command, "load", load)

    assert cli.main(["load"]) == lifecycle.BAD_INPUT
    assert capsys.readouterr().err == "tickwire: the gateway answered HTTP 404\n"
    assert begun == []
