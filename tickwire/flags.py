"""Command line flags, made from the settings classes: each setting is `--its-name` and `TICKWIRE_ITS_NAME`."""

from __future__ import annotations

import argparse

from services.runtime.settings import CommonSettings, allowed, default, flag, variable


def add_flags(parser: argparse.ArgumentParser, *classes: type[CommonSettings]) -> None:
    """Give *parser* one flag for each setting of *classes*; values are checked when they are loaded, not here."""
    group = parser.add_argument_group("settings", "each one may also be set by the variable in brackets")
    for settings in classes:
        for name, field in settings.model_fields.items():
            if flag(name) in parser._option_string_actions:  # noqa: SLF001 - argparse offers no other way to ask
                continue
            shown = f" Default: {default(field)}." if default(field) else ""
            choice = allowed(field)
            text = f"{field.description or ''} {choice[:1].upper()}{choice[1:]}.{shown} [{variable(name)}]"
            alone: dict[str, str] = {"nargs": "?", "const": "true"} if field.annotation is bool else {}
            group.add_argument(
                flag(name),
                dest=name,
                metavar="X",
                **alone,  # type: ignore[arg-type]
                default=argparse.SUPPRESS,
                help=text.replace("%", "%%").replace("`", ""),
            )


def given(arguments: argparse.Namespace, settings: type[CommonSettings]) -> dict[str, object]:
    """Return those of the flags that were given and belong to *settings*."""
    return {name: value for name, value in vars(arguments).items() if name in settings.model_fields}
