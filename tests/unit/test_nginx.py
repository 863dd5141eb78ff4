"""The proxy of the fault tests, where it is not installed."""

from __future__ import annotations

import shutil

import pytest

from services.errors import MissingRequirement
from tests.nginx import Nginx


async def test_no_nginx(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without nginx the proxy does not start, and the sentence says what to install; it is never a skip."""
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    proxy = Nginx([])
    with pytest.raises(MissingRequirement, match="apt-get install nginx"):
        await proxy.start()
    await proxy.end()
