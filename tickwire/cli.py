"""The `tickwire` command."""

from __future__ import annotations

import argparse
import asyncio
import difflib
import os
import sys
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import structlog

from gateway.entrance import check
from gateway.settings import GatewaySettings
from gateway.tls import certificate
from producer.settings import ProducerSettings
from services.errors import BadInput, BadSettings
from services.history.settings import HistorySettings
from services.market.symbol import Symbol, parse_symbol
from services.runtime import lifecycle
from services.runtime.clock import SystemClock
from services.runtime.settings import PREFIX, CommonSettings, ProcessSettings, load, option_table
from services.telemetry import logs
from tickwire.bearer import VARIABLE, bearer
from tickwire.canary.settings import CanarySettings
from tickwire.canary.target import stream_address, symbols_named
from tickwire.demo import Addresses, demo, load_demo
from tickwire.flags import add_flags, given
from tickwire.load.command import add_load, run_load
from tickwire.newkey import add_new_key, print_new_key
from tickwire.processes import follow, produce, remember, serve
from tickwire.revoke import add_arguments, named, revoke
from tickwire.spec import add_spec, print_spec
from tickwire.watch import URL, Refused, Target, watch
from tickwire.workers import serve_all

_PROCESSES: Final = (GatewaySettings, ProducerSettings, HistorySettings)
_ALL: Final = (*_PROCESSES, CanarySettings)
_DESCRIPTION: Final = """\
Tickwire: market ticks in, RabbitMQ in the middle, WebSocket clients out.

Start with `tickwire demo`, then open the page that it names, or run
`tickwire watch AAPL MSFT` in another terminal."""
_EPILOG: Final = "exit codes: 0 ended as told, 1 failed, 2 bad input, 130 interrupted twice"
_log = structlog.get_logger("tickwire.cli")

Main = Callable[[asyncio.Event], Coroutine[Any, Any, None]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that *argv* (default: the process's arguments) names; return the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except BadSettings as error:
        return _complain(error.faults)
    except BadInput as error:
        return _complain([str(error)])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tickwire",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _command(commands, "demo", _demo, "gateway, producer and history in one process, no broker", *_PROCESSES)
    _command(commands, "producer", _producer, "make ticks and publish them to RabbitMQ", ProducerSettings)
    _command(commands, "gateway", _gateway, "serve clients from RabbitMQ", GatewaySettings)
    _command(commands, "history", _history, "remember RabbitMQ's log and answer gateways", HistorySettings)
    canary = _command(
        commands, "canary", _canary, "follow symbols for ever, check and measure what comes", CanarySettings
    )
    canary.add_argument("url", metavar="URL", help="a stream, for example wss://localhost/v1/stream")
    canary.add_argument("symbols", nargs="+", metavar="SYMBOL", help="for example AAPL MSFT; at most 100")
    watcher = _command(commands, "watch", _watch, "show symbols live in this terminal")
    watcher.add_argument("symbols", nargs="+", metavar="SYMBOL", help="for example AAPL MSFT")
    watcher.add_argument("--url", default=URL, help="the gateway's stream (default: %(default)s)")
    watcher.add_argument(
        "--ca", type=Path, metavar="FILE", help="trust these certificates, for a wss:// with its own CA"
    )
    watcher.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help=f"show the token in this file, read again for each connection (default: the variable {VARIABLE})",
    )
    add_load(_command(commands, "load", run_load, "simulated clients of all kinds, with a line every 10 s"))
    add_new_key(_command(commands, "new-key", print_new_key, "make an API key and its line of TICKWIRE_KEYS_FILE"))
    revoker = _command(commands, "revoke", _revoke, "call tokens back before their time, on every gateway")
    add_arguments(revoker)
    certifier = _command(commands, "dev-cert", _dev_cert, "make a local authority and a certificate, to try TLS")
    certifier.add_argument("names", nargs="*", metavar="NAME", help="further hosts or addresses beside localhost")
    certifier.add_argument("--out", type=Path, default=Path("certs"), metavar="DIR", help="(default: %(default)s)")
    certifier.add_argument("--force", action="store_true", help="replace what is there")
    _command(commands, "settings", _settings, "print every setting as a Markdown table")
    add_spec(_command(commands, "spec", print_spec, "print the OpenAPI or the AsyncAPI document of a gateway"))
    return parser


def _command(
    commands: Any,
    name: str,
    run: Callable[[argparse.Namespace], int],
    text: str,
    *classes: type[CommonSettings],
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text[0].upper() + text[1:] + "."
    )
    if classes:
        add_flags(parser, *classes)
    parser.set_defaults(run=run)
    return parser


def _demo(arguments: argparse.Namespace) -> int:
    settings = load_demo(*(given(arguments, process) for process in _PROCESSES))
    style = settings.gateway.log_style
    check(settings.gateway, SystemClock())
    return _process(settings.gateway, demo(settings, lambda found: _announce(found, style)))


def _producer(arguments: argparse.Namespace) -> int:
    settings = load(ProducerSettings, given(arguments, ProducerSettings))
    return _process(settings, produce(settings))


def _gateway(arguments: argparse.Namespace) -> int:
    settings = load(GatewaySettings, given(arguments, GatewaySettings))
    # What is wrong is said once, before anything else, and not by each worker.
    certificate(settings.tls_cert, settings.tls_key)
    check(settings, SystemClock())
    main = serve(settings)
    return _process(settings, main if settings.workers == 1 else serve_all(settings))


def _history(arguments: argparse.Namespace) -> int:
    settings = load(HistorySettings, given(arguments, HistorySettings))
    return _process(settings, remember(settings))


def _canary(arguments: argparse.Namespace) -> int:
    settings = load(CanarySettings, given(arguments, CanarySettings))
    url, symbols = stream_address(arguments.url), symbols_named(arguments.symbols)
    target = Target(url, settings.ca, bearer(settings.token_file, {}))
    target.trust()  # what is wrong with the file is said before anything else
    return _process(settings, follow(settings, target, symbols))


def _process(settings: CommonSettings, main: Main) -> int:
    logs.configure(settings.log_level, settings.log_style)
    for fault in unknown_variables(os.environ):
        _log.warning("settings.unknown", fault=fault)
    return lifecycle.run(main)


def _watch(arguments: argparse.Namespace) -> int:
    symbols = _symbols(arguments.symbols)
    target = Target(arguments.url, arguments.ca, bearer(arguments.token_file, os.environ))
    logs.configure("error", "pretty")
    refusals: list[str] = []

    async def main(stop: asyncio.Event) -> None:
        try:
            await watch(target, symbols, clock=SystemClock(), stop=stop)
        except Refused as error:
            refusals.append(str(error))

    code = lifecycle.run(main)
    return _complain(refusals) if refusals else code


def _revoke(arguments: argparse.Namespace) -> int:
    clock = SystemClock()
    revocations = named(arguments, clock)
    if not revocations:
        return _complain(["revoke needs --subject or --token-id"])
    return revoke(load(ProcessSettings), revocations, clock)


def _dev_cert(arguments: argparse.Namespace) -> int:
    from tickwire.devcert import make_certificate  # noqa: PLC0415 - 18 MB that no other command needs

    sys.stdout.write(make_certificate(arguments.out, arguments.names, force=arguments.force))
    return lifecycle.OK


def _settings(_: argparse.Namespace) -> int:
    sys.stdout.write(option_table(*_ALL))
    return lifecycle.OK


def unknown_variables(names: Iterable[str]) -> list[str]:
    """Return a sentence for each of *names* that looks like a setting and is none, so that a slip is noticed."""
    known = {field.upper() for settings in _ALL for field in settings.model_fields}
    sentences = []
    for name in sorted(names):
        field = name.removeprefix(PREFIX)
        if name == VARIABLE:
            continue
        if name.startswith(PREFIX) and not field.startswith("TEST_") and field not in known:
            close = difflib.get_close_matches(field, known, n=1)
            sentences.append(f"{name} is not a setting" + (f"; did you mean {PREFIX}{close[0]}?" if close else ""))
    return sentences


def _symbols(texts: Iterable[str]) -> tuple[Symbol, ...]:
    return tuple(dict.fromkeys(parse_symbol(text.upper()) for text in texts))


def _announce(found: Addresses, style: str) -> None:
    if not logs.is_pretty(style):
        _log.info("demo.started", **asdict(found))
        return
    sys.stdout.write(
        "\n"
        f"  page     {found.page}\n"
        f"  stream   {found.stream}\n"
        f"  metrics  {found.metrics}  {found.producer_metrics}  {found.history_metrics}\n"
        "  watch    tickwire watch AAPL MSFT --url " + found.stream + "\n\n"
        "  Ctrl-C ends the demo.\n\n"
    )
    sys.stdout.flush()


def _complain(sentences: Iterable[str]) -> int:
    for sentence in sentences:
        sys.stderr.write(f"tickwire: {sentence}\n")
    return lifecycle.BAD_INPUT
