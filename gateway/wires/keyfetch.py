"""Documents of keys over HTTP."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import aiohttp

from gateway.admission.keyset import DOCUMENT_BYTES
from services.errors import KeysUnavailable

FETCH_S: Final = 5.0
"""Seconds until the whole document must have come."""

_HEADERS: Final = {"Accept": "application/jwk-set+json, application/json", "Accept-Encoding": "identity"}


async def fetch_keys(address: str) -> bytes:
    """Return what is at *address*, `http://` or `https://` with a certificate that the system trusts.

    Redirects are not followed: whoever can answer for the address shall not send us to another one, or to a file.

    Raises:
        KeysUnavailable: no answer with status 200 and at most `DOCUMENT_BYTES` in `FETCH_S`.
    """
    try:
        # A connection of its own each 5 minutes: one that is kept would be dead by then.
        async with (
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=FETCH_S),
                headers=_HEADERS,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            ) as session,
            session.get(address, allow_redirects=False) as response,
        ):
            if response.status != HTTPStatus.OK:
                raise KeysUnavailable(f"the address of the keys answers with status {response.status}")
            return await _document(response)
    except TimeoutError:
        raise KeysUnavailable(f"the address of the keys does not answer within {FETCH_S:g} s") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise KeysUnavailable(f"the keys cannot be fetched: {type(error).__name__}") from error


async def _document(response: aiohttp.ClientResponse) -> bytes:
    document = bytearray()
    async for piece in response.content.iter_any():
        document += piece
        if len(document) > DOCUMENT_BYTES:
            raise KeysUnavailable(f"the address of the keys sends more than {DOCUMENT_BYTES:,} bytes")
    return bytes(document)
