"""Schemas of a document as validators that take nothing which the document does not name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from jsonschema import Draft7Validator, Draft202012Validator
from jsonschema.protocols import Validator


class Strict:
    """A document (AsyncAPI or OpenAPI) whose objects are closed: a field without a schema is a fault."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = _closed(deepcopy(document))
        self._kind = Draft7Validator if "asyncapi" in document else Draft202012Validator

    def validator(self, schema: dict[str, Any]) -> Validator:
        """Return a validator by *schema*, which may refer into the document."""
        found: Validator = self._kind({**self._document, **_closed(deepcopy(schema))})
        return found

    def faults(self, schema: dict[str, Any], value: Any) -> list[str]:
        """Return what is wrong with *value*, by *schema*."""
        return faults(self.validator(schema), value)


def faults(validator: Validator, value: Any) -> list[str]:
    """Return what is wrong with *value*."""
    return [_fault(error) for error in validator.iter_errors(value)]


def _fault(error: Any) -> str:
    inner = "; ".join(map(_fault, error.context or ()))
    return f"{error.json_path}: {error.message[:200]}" + (f" ({inner})" if inner else "")


def _closed(part: Any) -> Any:
    if isinstance(part, dict):
        if part.get("type") == "object" and "properties" in part and "additionalProperties" not in part:
            part["additionalProperties"] = False
        for name, value in part.items():
            if name != "allOf":  # its parts add to each other
                _closed(value)
    elif isinstance(part, list):
        for value in part:
            _closed(value)
    return part


def references(document: dict[str, Any]) -> Iterator[str]:
    """Yield every `$ref` of *document*."""
    stack: list[Any] = [document]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            if isinstance(part.get("$ref"), str):
                yield part["$ref"]
            stack.extend(part.values())
        elif isinstance(part, list):
            stack.extend(part)


def resolve(document: dict[str, Any], reference: str) -> Any:
    """Return what *reference* (`#/…`) is.

    Raises:
        KeyError: there is no such thing.
    """
    found: Any = document
    for name in reference.removeprefix("#/").split("/"):
        found = found[name.replace("~1", "/").replace("~0", "~")]
    return found


def section(page: str, heading: str) -> str:
    """Return what stands under *heading* of a Markdown *page*, up to the next of its level or a higher one."""
    level = heading.index(" ")
    found = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{level}}} |\Z)", page, re.DOTALL | re.MULTILINE)
    assert found is not None, f"{heading} is missing"
    return found[1]
