"""What a gateway serves about itself: valid by the standards' own schemas, and readable by generators of code."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
from jsonschema import validators
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import ValidationError

from gateway.settings import GatewaySettings
from gateway.wires.spec import samples
from services.errors import MissingRequirement
from tickwire.spec import WRITERS, text

FOLDER: Final = Path(__file__).parent
SETTINGS: Final = {
    "open": GatewaySettings(),
    "guarded": GatewaySettings.model_validate({"auth": "keys", "ticket_secret": "x" * 32, "max_symbols": 5}),
}

pytestmark = pytest.mark.timeout(300)


def _module(path: str) -> Path:
    """Return a file of an npm package that `make spec` installs."""
    found = FOLDER / "node_modules" / path
    if not found.exists():
        raise MissingRequirement(f"{found} is missing: `make spec` installs it, with npm")
    return found


def _document(name: str, settings: GatewaySettings) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text(name, settings))
    return found


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_openapi_is_valid(settings: GatewaySettings) -> None:
    """The OpenAPI document has no fault by the schema and the rules of OpenAPI 3.1."""
    assert list(OpenAPIV31SpecValidator(_document("openapi", settings)).iter_errors()) == []


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_asyncapi_is_valid(settings: GatewaySettings) -> None:
    """The AsyncAPI document has no fault by the schema that the AsyncAPI initiative publishes."""
    schema = json.loads(_module("@asyncapi/specs/schemas/3.0.0-without-$id.json").read_bytes())
    faults = validators.validator_for(schema)(schema).iter_errors(_document("asyncapi", settings))

    assert [(error.json_path, error.message[:200]) for error in faults] == []


def _run(*command: str | Path) -> None:
    asyncio.run(_tool(*command))


async def _tool(*command: str | Path) -> None:
    tool = await asyncio.create_subprocess_exec(*map(str, command), stdout=PIPE, stderr=STDOUT)
    said, _ = await tool.communicate()
    assert tool.returncode == 0, said.decode()[-4000:]


def _models(name: str, folder: Path) -> ModuleType:
    """Return the classes that a generator makes of a document."""
    document, made = folder / f"{name}.json", folder / f"{name}_models.py"
    document.write_text(text(name, SETTINGS["guarded"]), encoding="utf-8")
    _run(
        *(sys.executable, "-m", "datamodel_code_generator", "--input", document, "--input-file-type", name),
        *("--output", made, "--output-model-type", "pydantic_v2.BaseModel", "--formatters", "builtin"),
    )
    spec = importlib.util.spec_from_file_location(made.stem, made)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[made.stem] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", WRITERS)
def test_python_classes(name: str, tmp_path: Path) -> None:
    """A generator of Python classes reads the document, and its class of a tick takes one and refuses none."""
    models = _models(name, tmp_path)
    try:
        assert models.Tick.model_validate_json(samples.LINE).price == 268.47
        with pytest.raises(ValidationError):
            models.Tick.model_validate_json(b"{}")
    finally:
        del sys.modules[models.__name__]


def test_typescript(tmp_path: Path) -> None:
    """A generator of TypeScript reads the OpenAPI document, and the compiler takes what it writes."""
    document, types, use = tmp_path / "openapi.json", tmp_path / "tickwire.ts", tmp_path / "use.ts"
    document.write_text(text("openapi", SETTINGS["guarded"]), encoding="utf-8")
    use.write_text(
        'import type { components, paths } from "./tickwire.ts";\n'
        'const tick: components["schemas"]["Tick"]["price"] = 268.47;\n'
        'type Found = paths["/v1/quotes"]["get"]["responses"][200]["content"]["application/json"];\n'
        'export const last = (found: Found) => found.quotes["AAPL"]?.tick.seq ?? tick;\n',
        encoding="utf-8",
    )
    _run("node", _module("openapi-typescript/bin/cli.js"), document, "--output", types)
    _run(
        *("node", _module("typescript/bin/tsc"), "--noEmit", "--strict", "--noUncheckedIndexedAccess"),
        *("--module", "nodenext", "--target", "es2022", "--allowImportingTsExtensions", use),
    )
