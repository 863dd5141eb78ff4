"""The address of a stream, from what people write.  Pure."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from tickwire_client.errors import BadAddress

PATH: Final = "/v1/stream"
EXAMPLE: Final = "wss://HOST/v1/stream"
_SCHEMES: Final = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}
_HAS_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://").match


def stream(url: str) -> str:
    """Return the address of the stream that *url* means.

    `https` and `http` stand for `wss` and `ws`; a bare host, or `HOST:PORT`, is `ws` on this machine and `wss`
    elsewhere; without a path it is `/v1/stream`.

    Raises:
        BadAddress: it is none; the sentence says why, and has neither a password nor a query of it.
    """
    text = url.strip()
    if not _HAS_SCHEME(text):
        text = f"{'ws' if _here(text) else 'wss'}://{text}"
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise BadAddress(f"{_shown(text)} is no address of a stream such as {EXAMPLE}: {error}") from None
    if (fault := _fault(parts)) is not None:
        raise BadAddress(f"{_shown(text)} is no address of a stream such as {EXAMPLE}: {fault}")
    path = PATH if parts.path in {"", "/"} else parts.path
    return parts._replace(scheme=_SCHEMES[parts.scheme], path=path).geturl()


def _fault(parts: SplitResult) -> str | None:
    if parts.scheme not in _SCHEMES:
        return f"{parts.scheme} is none of {', '.join(_SCHEMES)}"
    if not parts.hostname or re.search(r"\s", parts.netloc + parts.path):
        return "it names no host"
    if parts.fragment:
        return "it has a fragment (#)"
    if parts.username is not None or parts.password is not None:
        return "a user and a password do not belong there; use token="
    return None


def _here(text: str) -> bool:
    host = re.split(r"[:/?#]", text, maxsplit=1)[0]
    return host in {"localhost", ""} or host.startswith("127.") or text.startswith("[::1]")


def _shown(text: str) -> str:
    """Return *text* for people, without what may be secret."""
    return repr(re.sub(r"//[^/@]*@", "//…@", text).partition("?")[0])
