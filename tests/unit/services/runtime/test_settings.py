"""Settings: where they come from, and what is said of bad ones."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator

from services.errors import BadSettings
from services.runtime.settings import (
    ProcessSettings,
    allowed,
    broker_addresses,
    flag,
    load,
    option_table,
    variable,
)


class Colour(StrEnum):
    """A closed set."""

    RED = "red"
    BLUE = "blue"


def _even(number: int) -> int:
    if number % 2:
        raise ValueError("an odd number")
    return number


class SampleSettings(ProcessSettings):
    """One setting of each kind."""

    port: int = Field(default=8080, ge=0, le=65535, description="Where clients come in.")
    rate: float | None = Field(default=None, gt=0, le=50_000, description="Ticks per second.")
    colour: Colour = Field(default=Colour.RED, description="Paint.")
    source: Path | None = Field(default=None, description="A file.")
    pair: Annotated[int, AfterValidator(_even)] = Field(default=2, description="Even.")
    token: SecretStr = Field(default=SecretStr(""), description="Nobody sees it.")
    ops_port: int = Field(default=9100, description="Operations port.")

    @model_validator(mode="after")
    def _agree(self) -> SampleSettings:
        if self.port == self.ops_port:
            raise ValueError("TICKWIRE_PORT and TICKWIRE_OPS_PORT must differ")
        return self


class OtherSettings(ProcessSettings):
    """Another process with another default."""

    ops_port: int = Field(default=9101, description="Operations port.")


def _faults(settings: type[ProcessSettings], **given: object) -> list[str]:
    with pytest.raises(BadSettings) as caught:
        load(settings, given)
    return caught.value.faults


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in SampleSettings.model_fields:
        monkeypatch.delenv(variable(field), raising=False)


def test_defaults() -> None:
    """Defaults hold where neither variable nor flag speaks."""
    settings = load(SampleSettings)

    assert settings.broker_url == "amqp://127.0.0.1:5672/"
    assert settings.ops_host == "127.0.0.1"
    assert (settings.log_level, settings.log_style, settings.drain_s) == ("info", "auto", 5.0)


def test_environment_then_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag wins over a variable, and a variable over the default."""
    monkeypatch.setenv("TICKWIRE_PORT", "81")
    monkeypatch.setenv("TICKWIRE_RATE", "7.5")

    settings = load(SampleSettings, {"port": "82"})

    assert (settings.port, settings.rate) == (82, 7.5)


def test_empty_variable_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable, as Compose passes on an unset one, means the default."""
    monkeypatch.setenv("TICKWIRE_PORT", "")

    assert load(SampleSettings).port == 8080


def test_frozen() -> None:
    """Settings do not change after they were loaded."""
    settings = load(SampleSettings)

    with pytest.raises(ValidationError):
        setattr(settings, "port", 1)  # noqa: B010 - the type checker refuses the plain assignment, too


def test_all_faults_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every fault is reported in one go, each with its variable, its value and the allowed ones."""
    monkeypatch.setenv("TICKWIRE_PORT", "70000")
    monkeypatch.setenv("TICKWIRE_LOG_STYLE", "loud")
    monkeypatch.setenv("TICKWIRE_DRAIN_S", "soon")

    assert _faults(SampleSettings, rate="0", colour="green", pair="3") == [
        "TICKWIRE_COLOUR is 'green', but must be red or blue",
        "TICKWIRE_DRAIN_S is 'soon', but must be a number from 0 to 60",
        "TICKWIRE_LOG_STYLE is 'loud', but must be auto or pretty or json",
        "TICKWIRE_PAIR is '3', but must be a whole number (an odd number)",
        "TICKWIRE_PORT is '70000', but must be a whole number from 0 to 65535",
        "TICKWIRE_RATE is '0', but must be a number above 0, at most 50000",
    ]


def test_unknown_setting() -> None:
    """A name that is no setting is a fault, not silence."""
    assert _faults(OtherSettings, port=1) == ["TICKWIRE_PORT is not a setting of this process"]


def test_rule_over_several_settings() -> None:
    """A rule over several settings speaks with its own sentence."""
    assert _faults(SampleSettings, port=9100) == ["TICKWIRE_PORT and TICKWIRE_OPS_PORT must differ"]


@pytest.mark.parametrize(
    "url",
    [
        "http://host/",
        "host:5672",
        "amqp://",
        "amqp://host:99999/",
        "amqp://a/,memory://",
        "memory://x",
        "amqp://a/,",
    ],
)
def test_bad_broker_url(url: str) -> None:
    """A broker URL that no adapter understands is refused, without repeating it: it may hold a password."""
    (fault,) = _faults(SampleSettings, broker_url=url)

    assert fault.startswith("TICKWIRE_BROKER_URL is not usable, but must be amqp://user:password@host:5672/vhost")
    assert url not in fault.partition("memory:// (demo only)")[2]


def test_password_is_not_repeated() -> None:
    """A refused value that may be secret appears nowhere in the fault."""
    (fault,) = _faults(SampleSettings, broker_url="ftp://me:hunter2@host/")

    assert "hunter2" not in fault


def test_long_values_are_cut() -> None:
    """A fault repeats at most 60 characters of a value."""
    (fault,) = _faults(SampleSettings, port="9" * 5000)

    assert len(fault) < 200


def test_broker_addresses() -> None:
    """Several addresses are separated by commas."""
    assert broker_addresses("amqp://a:5672/, amqps://u:p@b/v") == ("amqp://a:5672/", "amqps://u:p@b/v")
    assert broker_addresses("memory://") == ("memory://",)


def test_names() -> None:
    """A field has one variable and one flag."""
    assert variable("broker_url") == "TICKWIRE_BROKER_URL"
    assert flag("broker_url") == "--broker-url"


def test_allowed() -> None:
    """The allowed values are read from the field's type and bounds."""
    fields = SampleSettings.model_fields

    assert allowed(fields["source"]) == "a path"
    assert allowed(fields["log_level"]) == "debug or info or warning or error"


def test_option_table() -> None:
    """The table has one row per variable and tells differing defaults apart by process."""
    table = option_table(SampleSettings, OtherSettings)

    rows = {line.split("`")[1]: line for line in table.splitlines()[2:]}
    assert len(rows) == len(SampleSettings.model_fields)
    assert rows["TICKWIRE_PORT"] == (
        "| `TICKWIRE_PORT` | a whole number from 0 to 65535 | `8080` | sample | Where clients come in. |"
    )
    assert "| `9100` (sample), `9101` (other) | all |" in rows["TICKWIRE_OPS_PORT"]
    assert "| none | sample | Ticks per second. |" in rows["TICKWIRE_RATE"]


def test_table_documents_every_setting() -> None:
    """No setting common to all lacks a meaning."""
    for name, field in ProcessSettings.model_fields.items():
        assert field.description, name


def test_choices_in_the_table() -> None:
    """A choice lists its members."""

    class ChoiceSettings(ProcessSettings):
        auth: Literal["none", "keys"] = Field(default="none", description="Who.")

    assert "none or keys" in option_table(ChoiceSettings)
