"""The `tickwire` command, up to where a process starts."""

from __future__ import annotations

import asyncio

import pytest

from gateway.settings import GatewaySettings
from producer.settings import ProducerSettings
from services.runtime import lifecycle
from services.runtime.settings import load, variable
from services.telemetry import logs
from tickwire import cli
from tickwire.flags import given


@pytest.fixture(autouse=True)
def _no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here may come as far as a running process."""

    def run(_: object) -> int:
        raise AssertionError("a process was started")

    monkeypatch.setattr(lifecycle, "run", run)
    for settings in cli._ALL:
        for field in settings.model_fields:
            monkeypatch.delenv(variable(field), raising=False)


def _exit(argv: list[str]) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main(argv)
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` names every command and how to start."""
    assert _exit(["--help"]) == 0

    text = capsys.readouterr().out
    for command in (
        "demo",
        "producer",
        "gateway",
        "history",
        "canary",
        "watch",
        "load",
        "new-key",
        "settings",
        "spec",
    ):
        assert f"\n    {command} " in text
    assert "tickwire watch AAPL MSFT" in text


@pytest.mark.parametrize("process", ["demo", "producer", "gateway", "history", "canary"])
def test_every_setting_is_a_flag(process: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A process's `--help` shows each of its settings as a flag, with its variable."""
    assert _exit([process, "--help"]) == 0

    text = capsys.readouterr().out.replace("\n", " ")
    for settings in cli._PROCESSES if process == "demo" else cli._ALL:
        if process in ("demo", settings.__name__.removesuffix("Settings").lower()):
            for field in settings.model_fields:
                value = "[X]" if settings.model_fields[field].annotation is bool else "X"
                assert f"--{field.replace('_', '-')} {value}" in text
                assert f"[{variable(field)}]" in text


@pytest.mark.parametrize(("words", "meant"), [([], False), (["--standby"], True), (["--standby", "false"], False)])
def test_a_flag_that_is_true_or_false_may_stand_alone(words: list[str], meant: bool) -> None:  # noqa: FBT001
    """`--standby` alone means true; a value may follow."""
    arguments = cli._parser().parse_args(["producer", *words])

    assert load(ProducerSettings, given(arguments, ProducerSettings)).standby is meant


def test_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    """No command at all is bad input."""
    assert _exit([]) == 2
    assert "COMMAND" in capsys.readouterr().err


def test_all_faults_of_the_demo(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The demo reports every fault of its processes at once, each once, and exits with 2."""
    monkeypatch.setenv("TICKWIRE_PORT", "no")
    monkeypatch.setenv("TICKWIRE_LOG_LEVEL", "loud")

    assert cli.main(["demo", "--rate", "-1"]) == 2

    lines = capsys.readouterr().err.splitlines()
    assert sorted(line.split()[1] for line in lines) == [
        "TICKWIRE_LOG_LEVEL",
        "TICKWIRE_PORT",
        "TICKWIRE_RATE",
    ]
    assert all("must be" in line for line in lines)


@pytest.mark.parametrize("process", ["producer", "gateway", "history"])
def test_memory_needs_the_demo(process: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A process of its own cannot use the broker that lives inside one process."""
    assert cli.main([process, "--broker-url", "memory://"]) == 2

    assert "TICKWIRE_BROKER_URL is memory://" in capsys.readouterr().err


def test_bad_symbol(capsys: pytest.CaptureFixture[str]) -> None:
    """A symbol that cannot exist is refused before anything is connected."""
    assert cli.main(["watch", "AA PL"]) == 2

    assert "symbol 'AA PL' does not match" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["http://h/v1/stream", "AAPL"], "the address begins with http:"),
        (["wss://h/v1/stream", "b@d"], "symbol 'B@D' does not match"),
        (["wss://h/v1/stream", "AAPL", "--token-file", "/nowhere"], "--token-file /nowhere: No such file"),
        (["wss://h/v1/stream", "AAPL", "--ca", "/nowhere"], "--ca /nowhere: No such file"),
        (["wss://h/v1/stream", "AAPL", "--ca", __file__], f"--ca {__file__}: no certificates in PEM"),
        (["wss://h/v1/stream", "AAPL", "--ops-port", "x"], "TICKWIRE_OPS_PORT is 'x', but must be a whole number"),
    ],
)
def test_bad_canary(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What a canary cannot be pointed at is said in one sentence before it starts, with exit code 2."""
    assert cli.main(["canary", *words]) == lifecycle.BAD_INPUT

    assert f"tickwire: {sentence}" in capsys.readouterr().err


def test_symbols_are_upper_case_and_distinct() -> None:
    """Symbols may be typed in lower case, and twice."""
    assert cli._symbols(["aapl", "MSFT", "AAPL"]) == ("AAPL", "MSFT")


def test_settings_table(capsys: pytest.CaptureFixture[str]) -> None:
    """`settings` prints a row for every variable of every process."""
    assert cli.main(["settings"]) == 0

    text = capsys.readouterr().out
    for settings in cli._PROCESSES:
        for field in settings.model_fields:
            assert f"| `{variable(field)}` |" in text


def test_unreadable_token_file(capsys: pytest.CaptureFixture[str]) -> None:
    """A token file that is not there ends `watch` with 2 and its name, before anything is opened."""
    assert cli.main(["watch", "AAPL", "--token-file", "/nonexistent/token"]) == 2
    assert "--token-file /nonexistent/token: No such file" in capsys.readouterr().err


def test_unknown_variables() -> None:
    """A variable that looks like a setting and is none gets a sentence, and a guess where one is near."""
    names = [
        "TICKWIRE_PROT",
        "TICKWIRE_PORT",
        "TICKWIRE_TEST_AMQP_URL",
        "TICKWIRE_WATCH_TOKEN",
        "HOME",
        "TICKWIRE_QQQQQQ",
    ]

    assert cli.unknown_variables(names) == [
        "TICKWIRE_PROT is not a setting; did you mean TICKWIRE_PORT?",
        "TICKWIRE_QQQQQQ is not a setting",
    ]


def test_flags_reach_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag wins over its variable on the way to the process that is started."""
    monkeypatch.setenv("TICKWIRE_PORT", "1111")
    seen: list[int] = []

    def serve(settings: GatewaySettings) -> cli.Main:
        seen.append(settings.port)

        async def main(_: asyncio.Event) -> None:
            pass

        return main

    monkeypatch.setattr(cli, "serve", serve)
    monkeypatch.setattr(lifecycle, "run", lambda _: 0)
    monkeypatch.setattr(logs, "configure", lambda _level, _style: None)

    assert cli.main(["gateway", "--port", "2222"]) == 0
    assert seen == [2222]
