"""The documents of the wires as the command prints them, and as files in docs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tickwire.cli import main
from tickwire.spec import files

DOCS = Path(__file__).parents[3] / "docs"


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


@pytest.mark.parametrize("name", ["openapi.json", "asyncapi.json"])
def test_files(name: str) -> None:
    """The files in docs are what `python -m tickwire.reference` writes."""
    assert files()[name] == (DOCS / name).read_text(encoding="utf-8")
