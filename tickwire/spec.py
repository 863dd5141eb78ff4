"""`tickwire spec`: the documents of the wires, for code generators."""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import version
from typing import Final

import orjson

from gateway.settings import GatewaySettings
from gateway.wires.spec.asyncapi import asyncapi
from gateway.wires.spec.bounds import bounds
from gateway.wires.spec.openapi import openapi
from services.runtime import lifecycle
from services.runtime.settings import load

WRITERS: Final = {"openapi": openapi, "asyncapi": asyncapi}


def add_spec(parser: argparse.ArgumentParser) -> None:
    """Add what *parser* must know."""
    parser.add_argument("document", choices=list(WRITERS), help="openapi: HTTP; asyncapi: WebSocket and events")


def print_spec(arguments: argparse.Namespace) -> int:
    """Print the document that *arguments* name, as a gateway with these settings would serve it."""
    sys.stdout.write(text(arguments.document, load(GatewaySettings)))
    return lifecycle.OK


def text(document: str, settings: GatewaySettings) -> str:
    """Return *document* of a gateway with these *settings*, indented."""
    written = WRITERS[document](bounds(settings, version("tickwire")))
    return orjson.dumps(written, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
