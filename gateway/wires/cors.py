"""Which pages of other hosts may read an answer (the Fetch standard's CORS), by the list of origins.  Pure.

Without a list only pages of this host may ask, and they need no such headers.  With credentials is never allowed:
tokens come in `Authorization`, there are no cookies.
"""

from __future__ import annotations

from typing import Final

from gateway.admission.origin import allowed

PREFLIGHT_S: Final = 600
"""Seconds that a browser may remember the answer to a preflight; Chromium caps it at 7,200."""
EXPOSED: Final = "ETag, Link, Retry-After, Tickwire-Resumed"
"""What a script may read beside the body and the safe headers."""
ASKED: Final = "Authorization, If-None-Match, Last-Event-ID, Cache-Control"
"""What a script may send beside the safe headers."""


class Cors:
    """Decides for one gateway; *origins* from `gateway.admission.origin.parse_origins`."""

    def __init__(self, origins: frozenset[str]) -> None:
        self._origins = origins

    def headers(self, origin: str | None) -> dict[str, str]:
        """Return what an answer, an error too, must say to a page of *origin* (None: no browser, or this host).

        With a list of origins every answer varies with `Origin`, so that no cache gives one page's to another.
        """
        if not self._origins:
            return {}
        if not self._may(origin) or origin is None:
            return {"Vary": "Origin"}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": EXPOSED,
            "Vary": "Origin",
        }

    def preflight(self, origin: str | None, methods: str = "GET, HEAD") -> dict[str, str] | None:
        """Return the headers of the answer (204) to a preflight; None: pages of *origin* may not ask (403)."""
        if origin is None or not self._may(origin):
            return None
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": methods,
            "Access-Control-Allow-Headers": ASKED,
            "Access-Control-Max-Age": str(PREFLIGHT_S),
            "Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
        }

    def _may(self, origin: str | None) -> bool:
        return bool(self._origins) and allowed(origin, "", False, self._origins)
