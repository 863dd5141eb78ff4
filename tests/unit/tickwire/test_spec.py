"""The documents of the wires as the command prints them."""

from __future__ import annotations

import json

import pytest

from tickwire.cli import main


@pytest.mark.parametrize("document", ["openapi", "asyncapi"])
def test_printed(document: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`tickwire spec` prints a document, which names the format that it is in."""
    assert main(["spec", document]) == 0

    assert json.loads(capsys.readouterr().out)[document].startswith("3.")


def test_settings_count(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What a gateway is told shows in its documents: fewer symbols, and that tokens are asked for."""
    monkeypatch.setenv("TICKWIRE_MAX_SYMBOLS", "7")
    monkeypatch.setenv("TICKWIRE_AUTH", "keys")
    monkeypatch.setenv("TICKWIRE_KEYS_FILE", "keys")
    main(["spec", "asyncapi"])
    document = json.loads(capsys.readouterr().out)

    assert (
        document["components"]["messages"]["subscribe_candles"]["payload"]["properties"]["symbols"]["maxItems"]
        == 7
    )
    assert "security" in document["servers"]["gateway"]


def test_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    """Another name is refused with the ones that there are."""
    with pytest.raises(SystemExit) as ended:
        main(["spec", "wsdl"])

    assert ended.value.code == 2
    assert "openapi" in capsys.readouterr().err
