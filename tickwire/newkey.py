"""`tickwire new-key`: an API key for somebody, and the line that lets its bearer in."""

from __future__ import annotations

import argparse
import secrets
import sys
from typing import Any

from gateway.admission.apikeys import KEY_BYTES, key_text, line
from services.runtime import lifecycle
from services.runtime.clock import SystemClock

_EPILOG = """\
The line goes to the standard output, the key itself to the standard error, once:

    tickwire new-key desk-7 --symbols "AAPL,MSFT*" >> keys.txt"""


def add_new_key(parser: argparse.ArgumentParser) -> None:
    """Give *parser* what the command can be told."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("subject", metavar="SUBJECT", help="whose key it is, without spaces")
    parser.add_argument(
        "--symbols",
        default="*",
        metavar="LIST",
        help='what may be followed: names, and prefixes with a * at the end, "AAPL,MSFT*" (default: all)',
    )
    parser.add_argument("--max-symbols", type=int, metavar="N", help="symbols at once on one connection")
    parser.add_argument("--max-rate", type=float, metavar="R", help="ticks per second and symbol, 0.1 to 100")
    parser.add_argument("--max-connections", type=int, metavar="N", help="connections at once")
    parser.add_argument(
        "--expires", type=_seconds, metavar="SECONDS", help="how long it holds (default: for ever)"
    )


def print_new_key(arguments: argparse.Namespace) -> int:
    """Make a key, print it and its line; return the exit code.

    Raises:
        BadInput: an argument is something that no line of the file may say.
    """
    key = key_text(secrets.token_bytes(KEY_BYTES))
    text = line(arguments.subject, key, _claims(arguments, SystemClock().wall_us() // 1_000_000))
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
    sys.stderr.write(f"\nThe key, which is shown this once and cannot be had from its line:\n\n    {key}\n\n")
    return lifecycle.OK


def _seconds(text: str) -> int:
    seconds = int(text)
    if seconds < 1:
        raise argparse.ArgumentTypeError("a key holds for 1 second at least")
    return seconds


def _claims(arguments: argparse.Namespace, now: int) -> dict[str, Any]:
    claims = {
        "symbols": [part.strip().upper() for part in arguments.symbols.split(",") if part.strip()],
        "max_symbols": arguments.max_symbols,
        "max_rate": arguments.max_rate,
        "max_connections": arguments.max_connections,
        "exp": None if arguments.expires is None else now + arguments.expires,
        "iat": now,
    }
    return {name: value for name, value in claims.items() if value is not None}
