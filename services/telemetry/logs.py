"""Log lines: an event's dotted name plus fields, to standard output, pretty for people and JSON for machines.

Our code logs through structlog; the libraries' stdlib loggers end in the same formatter, so that a reader of
the log meets one form only.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Final

import orjson
import structlog
from aiohttp.http_exceptions import HttpProcessingError
from structlog.stdlib import ProcessorFormatter
from structlog.typing import Processor

_QUIET: Final = {
    # aiormq logs each frame at DEBUG, and the end of a connection (which our supervisor logs) as a WARNING
    "aiormq": logging.ERROR,
    "aio_pika": logging.ERROR,
    "aiohttp.access": logging.WARNING,
    "asyncio": logging.WARNING,
    # warns at each try to reach a collector; once it gives spans up, that is an error
    "opentelemetry": logging.ERROR,
}


class _Malformed(logging.Filter):
    """Drops what aiohttp says of requests that are no HTTP: a traceback for each, with the beginning of a header.

    `Authorization: Bearer …` of more than 8,190 bytes had its token in the log.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether *record* is of anything else."""
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, HttpProcessingError)


_MALFORMED: Final = _Malformed()


def configure(level: str, style: str) -> None:
    """Send every log line of *level* and above to standard output; calling it again replaces what it did.

    *level*: debug, info, warning or error.  *style*: pretty, json, or auto (pretty on a terminal).
    """
    terminal, pretty = sys.stdout.isatty(), is_pretty(style)
    shared = _shared(pretty=pretty)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # a logger made at import must follow a later `configure`
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[ProcessorFormatter.remove_processors_meta, *_rendering(pretty=pretty, colors=terminal)],
        )
    )
    _install(handler, level)


def is_pretty(style: str) -> bool:
    """Whether *style* means lines for people, given what standard output is."""
    return style == "pretty" or (style == "auto" and sys.stdout.isatty())


def _install(handler: logging.Handler, level: str) -> None:
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old.formatter, ProcessorFormatter):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(least)
    logging.getLogger("aiohttp.server").addFilter(_MALFORMED)
    logging.captureWarnings(capture=True)


def _shared(*, pretty: bool) -> list[Processor]:
    stamp = (
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)
        if pretty
        else structlog.processors.TimeStamper(fmt="iso", utc=True)
    )
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        stamp,
    ]


def _rendering(*, pretty: bool, colors: bool) -> list[Processor]:
    if pretty:
        # the default with rich installed prints local variables, and with them passwords
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain, pad_event_to=28)]
    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(serializer=_json),
    ]


def _json(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
