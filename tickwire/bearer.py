"""The token that `tickwire watch` shows: from a file or from the environment, never from the command line.

Everybody on the machine can see a command line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

from services.errors import BadInput

VARIABLE: Final = "TICKWIRE_WATCH_TOKEN"

Bearer = str | Callable[[], Awaitable[str]]


def bearer(file: Path | None, environment: Mapping[str, str]) -> Bearer | None:
    """Return what yields the token: *file*, which is read again each time, else `VARIABLE`; None: there is none.

    Raises:
        BadInput: *file* cannot be read, or is empty.
    """
    if file is None:
        return environment.get(VARIABLE) or None
    _read(file)

    async def again() -> str:
        return await asyncio.to_thread(_read, file)

    return again


def _read(file: Path) -> str:
    try:
        token = file.read_text(encoding="ascii").strip()
    except OSError as error:
        raise BadInput(f"--token-file {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadInput(f"--token-file {file}: not a token, which is ASCII text") from None
    if not token:
        raise BadInput(f"--token-file {file}: empty, but must hold a token")
    return token
