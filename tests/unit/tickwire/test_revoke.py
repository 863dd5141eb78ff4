"""`tickwire revoke`, up to the broker."""

from __future__ import annotations

import argparse

import pytest

from services.broker.revocations import Revocation
from services.errors import BadInput
from services.runtime import lifecycle
from tests.brokers import free_ports
from tickwire import cli
from tickwire.revoke import add_arguments, named, sentence


class Noon:
    """A clock that stands."""

    def monotonic(self) -> float:
        """Nobody asks."""
        raise NotImplementedError

    def wall_us(self) -> int:
        """Noon, and a bit."""
        return 1_795_003_200_250_000


def read(*argv: str) -> list[Revocation]:
    """What *argv* call back at noon."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return named(parser.parse_args(argv), Noon())


def test_what_is_named_is_called_back_as_of_now() -> None:
    """Subjects and token ids may be given together and more than once; each is called back once."""
    assert read("--subject", "alice", "--token-id", "t1", "--subject", "bob", "--subject", "alice") == [
        Revocation(1_795_003_200.25, subject="alice"),
        Revocation(1_795_003_200.25, subject="bob"),
        Revocation(1_795_003_200.25, None, "t1"),
    ]


@pytest.mark.parametrize("option", ["--subject", "--token-id"])
@pytest.mark.parametrize("name", ["", "x" * 257, "\udcff"])
def test_a_name_that_no_token_has(option: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that cannot match any token is refused with what it may be, and nothing is called back."""
    with pytest.raises(BadInput, match=f"^{option} is a text of 1 to 256 characters$"):
        read("--subject", "good", option, name)
    assert cli.main(["revoke", option, name]) == lifecycle.BAD_INPUT
    assert f"tickwire: {option} is a text of 1 to 256 characters\n" in capsys.readouterr().err


def test_somebody_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a name the command says what it needs."""
    assert cli.main(["revoke"]) == lifecycle.BAD_INPUT
    assert capsys.readouterr().err == "tickwire: revoke needs --subject or --token-id\n"


def test_a_broker_in_memory_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demo's broker lives in another process, so nothing can be called back there."""
    monkeypatch.setenv("TICKWIRE_BROKER_URL", "memory://")
    assert cli.main(["revoke", "--subject", "alice"]) == lifecycle.BAD_INPUT
    assert "TICKWIRE_BROKER_URL is memory://" in capsys.readouterr().err


def test_no_broker_is_a_failure(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that is down is said in one sentence without a password, and the exit code is 1."""
    (port,) = free_ports(1)
    monkeypatch.setenv("TICKWIRE_BROKER_URL", f"amqp://operator:secret@127.0.0.1:{port}/")
    assert cli.main(["revoke", "--subject", "alice"]) == lifecycle.FAILED
    said = capsys.readouterr()
    assert said.err.startswith(f"tickwire: nothing is revoked for certain: 127.0.0.1:{port}: refused, ")
    assert said.err.count("\n") == 1
    assert "secret" not in said.err + said.out


def test_each_is_said() -> None:
    """A person reads which tokens are called back, and until when those of a subject were issued."""
    assert sentence(Revocation(1_795_003_200.25, None, "t1")) == "the token t1"
    assert (
        sentence(Revocation(1_795_003_200.25, subject="alice"))
        == "every token of alice issued until 2026-11-18 12:00:00+00:00"
    )
