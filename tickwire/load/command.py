"""`tickwire load`: its arguments, and what they make."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

from producer.sources import universe
from services.errors import BadInput
from services.market.symbol import parse_symbol
from services.runtime import lifecycle
from services.runtime.clock import SystemClock
from services.telemetry import logs
from tickwire.bearer import VARIABLE, bearer
from tickwire.canary.target import stream_address
from tickwire.load.crowd import load
from tickwire.load.plan import MOST_CLIENTS, MOST_SYMBOLS, Member, members
from tickwire.watch import URL, Refused, Target

TOKEN_FILE: Final = "TICKWIRE_LOAD_TOKEN_FILE"  # noqa: S105 - its name
"""The variable that a container is given: an argument cannot be left out there."""


def add_load(parser: argparse.ArgumentParser) -> None:
    """Give *parser* the arguments."""
    parser.add_argument("url", nargs="?", default=URL, help="the gateway's stream (default: %(default)s)")
    parser.add_argument(
        "--clients",
        type=_within(1, MOST_CLIENTS),
        default=100,
        metavar="N",
        help=f"1 to {MOST_CLIENTS:,}; all have this machine's address, of which a gateway lets in 100 unless "
        "TICKWIRE_MAX_PER_ADDRESS says more (default: %(default)s)",
    )
    parser.add_argument(
        "--symbols",
        type=_within(1, MOST_SYMBOLS),
        default=10,
        metavar="N",
        help="that each follows (default: %(default)s)",
    )
    parser.add_argument(
        "--names", metavar="A,B,…", help="to choose from, the most popular first (default: the producer's 100)"
    )
    parser.add_argument(
        "--seconds", type=_within(1, 31_536_000), metavar="N", help="then end (default: when told to)"
    )
    parser.add_argument(
        "--seed", type=_within(0, 2**63 - 1), metavar="N", help="the same makes the same clients (default: any)"
    )
    parser.add_argument("--ca", type=Path, metavar="FILE", help="trust these certificates instead of the system's")
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="show the token in this file, read again for each connection "
        f"(default: the file that {TOKEN_FILE} names, else the variable {VARIABLE})",
    )


def run_load(arguments: argparse.Namespace) -> int:
    """Be the clients; return the exit code.

    Raises:
        BadInput: a name is no symbol, the file of the token or of the certificates is none, or we are refused.
    """
    file = arguments.token_file or _named(os.environ.get(TOKEN_FILE))
    target = Target(stream_address(arguments.url), arguments.ca, bearer(file, os.environ))
    target.trust()  # what is wrong with the file is said before anything else
    crowd = _crowd(arguments)
    logs.configure("info", "auto")
    # one line for each attempt of each client; `ends` counts them
    logging.getLogger("tickwire_client").setLevel(logging.WARNING)
    refused: list[Refused] = []

    async def main(stop: asyncio.Event) -> None:
        try:
            await load(target, crowd, clock=SystemClock(), stop=stop, seconds=arguments.seconds)
        except Refused as error:
            refused.append(error)

    code = lifecycle.run(main)
    if refused:
        raise BadInput(str(refused[0]))
    return code


def _named(text: str | None) -> Path | None:
    return Path(text) if text else None


def _crowd(arguments: argparse.Namespace) -> list[Member]:
    if arguments.names:
        names = [parse_symbol(name.strip().upper()) for name in arguments.names.split(",")]
    else:
        names = [listing.symbol for listing in universe.load(None)]
    seed = secrets.randbits(63) if arguments.seed is None else arguments.seed
    return members(arguments.clients, names=list(dict.fromkeys(names)), each=arguments.symbols, seed=seed)


def _within(low: int, high: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low:,} to {high:,}")
        return int(text)

    return number
