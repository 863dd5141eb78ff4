"""Settings of a process: environment variables `TICKWIRE_…`, or flags, checked before anything is opened."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar
from urllib.parse import urlsplit

from annotated_types import Ge, Gt, Le, Lt
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticUndefined
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.errors import BadSettings

PREFIX: Final = "TICKWIRE_"
SECRET: Final[JsonDict] = {"secret": True}
"""`json_schema_extra` of a field whose value no message may repeat."""

_SCHEMES: Final = ("amqp", "amqps", "memory")
_QUOTED: Final = 60
"""Most characters of a refused value that a fault repeats."""
_NOUNS: Final[dict[object, str]] = {
    int: "a whole number",
    float: "a number",
    str: "text",
    SecretStr: "text",
    Path: "a path",
    bool: "true or false",
}


def broker_addresses(url: str) -> tuple[str, ...]:
    """Return the addresses that *url* lists, separated by commas.

    Raises:
        ValueError: an address is not `amqp://host:port/vhost`, `amqps://…`, or `memory://` standing alone.
    """
    addresses = tuple(address.strip() for address in url.split(","))
    for address in addresses:
        parts = urlsplit(address)
        if parts.scheme not in _SCHEMES:
            raise ValueError("not a broker's address")
        if parts.scheme == "memory":
            if address != "memory://" or len(addresses) > 1:
                raise ValueError("memory:// stands alone")
        elif not parts.hostname or parts.port == 0:  # reading `port` raises ValueError above 65535
            raise ValueError("an address names a host")
    return addresses


def _checked(url: str) -> str:
    broker_addresses(url)
    return url


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


Listed: Final = BeforeValidator(_split)
"""For a field that is a tuple: in the environment its entries are separated by commas."""


class CommonSettings(BaseSettings):
    """What every process can be told."""

    # enable_decoding: a value is what somebody typed, never JSON.  env_ignore_empty: Compose passes an unset
    # variable on as an empty one.
    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="forbid",
        env_ignore_empty=True,
        enable_decoding=False,
        validate_default=True,
    )

    ops_host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Interface that `/metrics`, `/livez` and `/readyz` listen on.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least important level of the log lines that are written."
    )
    log_style: Literal["auto", "pretty", "json"] = Field(
        default="auto", description="How log lines look; `auto`: pretty on a terminal, JSON otherwise."
    )


class ProcessSettings(CommonSettings):
    """What every process that meets others at the broker can be told."""

    broker_url: Annotated[str, AfterValidator(_checked)] = Field(
        default="amqp://127.0.0.1:5672/",
        description="Addresses of the broker, separated by commas.",
        examples=["amqp://user:password@host:5672/vhost", "amqps://…", "memory:// (demo only)"],
        json_schema_extra=SECRET,
    )
    broker_ca: Path | None = Field(
        default=None,
        description="Certificates of the authority that vouches for the broker's, PEM, where `amqps://` is used; "
        "without it: those that the system trusts.",
    )
    drain_s: float = Field(
        default=5.0,
        ge=0,
        le=60,
        description="Seconds given to clients or confirms when the process is told to end.",
    )


S = TypeVar("S", bound=CommonSettings)


def load(settings: type[S], given: Mapping[str, object] | None = None) -> S:
    """Return the settings that the environment and *given* (by field name; it wins) say.

    Raises:
        BadSettings: with every fault, each naming the variable and what it may be.
    """
    values: dict[str, Any] = dict(given or {})
    try:
        return settings(**values)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False)
        # A list has a detail for each entry that is wrong: one sentence says as much.
        faults = {detail["loc"][:1]: _fault(settings, detail) for detail in details}
        raise BadSettings(sorted(faults.values())) from None


def variable(field: str) -> str:
    """Return the environment variable of *field*."""
    return PREFIX + field.upper()


def flag(field: str) -> str:
    """Return the command line flag of *field*."""
    return "--" + field.replace("_", "-")


def allowed(field: FieldInfo) -> str:
    """Return what a value of *field* may be, as a phrase: `a whole number from 1 to 9`."""
    if field.examples:
        return " or ".join(str(example) for example in field.examples)
    nouns = [_noun(part) for part in _alternatives(field.annotation)]
    return " or ".join(dict.fromkeys(nouns)) + _bounds(field)


def default(field: FieldInfo) -> str:
    """Return the default of *field* as somebody would type it; empty where there is none."""
    value = field.get_default(call_default_factory=True, validated_data={})
    return "" if value is None or value is PydanticUndefined else typed(value)


def typed(value: object) -> str:
    """Return *value* of a setting as somebody would type it."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list | frozenset | set):
        return ",".join(str(item) for item in value)
    return _number(value) if isinstance(value, float) else str(value)


def option_table(*classes: type[CommonSettings]) -> str:
    """Return a Markdown table of every variable of *classes*: allowed values, default, who reads it, meaning."""
    lines = ["| Variable | Allowed | Default | Read by | Meaning |", "|---|---|---|---|---|"]
    owners: dict[str, list[type[CommonSettings]]] = {}
    for settings in classes:
        for name in settings.model_fields:
            owners.setdefault(name, []).append(settings)
    lines += [_row(name, by, everybody=len(by) == len(classes)) for name, by in owners.items()]
    return "\n".join(lines) + "\n"


def _row(name: str, owners: list[type[CommonSettings]], *, everybody: bool) -> str:
    field = owners[0].model_fields[name]
    defaults: dict[str, list[str]] = {}
    for settings in owners:
        defaults.setdefault(default(settings.model_fields[name]), []).append(_process(settings))
    if len(defaults) == 1:
        shown = _code(next(iter(defaults)))
    else:
        shown = ", ".join(f"{_code(value)} ({', '.join(who)})" for value, who in defaults.items())
    readers = "all" if everybody else ", ".join(_process(settings) for settings in owners)
    cells = (f"`{variable(name)}`", allowed(field), shown, readers, field.description or "")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _process(settings: type[CommonSettings]) -> str:
    return settings.__name__.removesuffix("Settings").lower()


def _code(text: str) -> str:
    return f"`{text}`" if text else "none"


def _fault(settings: type[CommonSettings], detail: ErrorDetails) -> str:
    name = str(detail["loc"][0]) if detail["loc"] else ""
    field = settings.model_fields.get(name)
    if not name:  # a rule over several fields: its own sentence names them
        return detail["msg"].removeprefix("Value error, ")
    if field is None:
        return f"{variable(name)} is not a setting of this process"
    if detail["type"] == "missing":
        return f"{variable(name)} is not set, but must be {allowed(field)}"
    reason = f" ({detail['msg'].removeprefix('Value error, ')})" if detail["type"] == "value_error" else ""
    return f"{variable(name)} is {_quoted(field, detail['input'])}, but must be {allowed(field)}{reason}"


def _quoted(field: FieldInfo, value: object) -> str:
    extra = field.json_schema_extra
    if (isinstance(extra, dict) and extra.get("secret")) or isinstance(value, SecretStr):
        return "not usable"
    text = repr(value)
    return text if len(text) <= _QUOTED else text[:_QUOTED] + "…"


def _alternatives(annotation: Any) -> Iterator[Any]:
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        for part in typing.get_args(annotation):
            yield from _alternatives(part)
    elif origin is Annotated:
        yield from _alternatives(typing.get_args(annotation)[0])
    elif annotation is not type(None):
        yield annotation


def _noun(annotation: Any) -> str:
    if typing.get_origin(annotation) is Literal:
        return " or ".join(str(choice) for choice in typing.get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(str(member.value) for member in annotation)
    if typing.get_origin(annotation) in (tuple, list, set, frozenset):
        return "a list separated by commas"
    return _NOUNS.get(annotation, getattr(annotation, "__name__", "a value"))


def _bounds(field: FieldInfo) -> str:
    low = high = ""
    for rule in field.metadata:
        match rule:
            case Ge(ge=bound):
                low = f" from {_number(bound)}"
            case Gt(gt=bound):
                low = f" above {_number(bound)}"
            case Le(le=bound):
                high = f" to {_number(bound)}" if low.startswith(" from") else f", at most {_number(bound)}"
            case Lt(lt=bound):
                high = f" below {_number(bound)}"
            case _:
                pass
    return low + high


def _number(value: Any) -> str:
    # not :g, which writes a million as 1e+06
    return str(int(value)) if float(value).is_integer() else str(value)
