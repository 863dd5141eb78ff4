"""What a page's connections really carried, given to the independent checker."""

from __future__ import annotations

import json

from playwright.async_api import Page, WebSocket

from tests.checker import Checker


class JudgedWire:
    """All frames of the WebSockets of *page*, one after another, from the next one on."""

    def __init__(self, page: Page, checker: Checker) -> None:
        self.connections = 0
        self._checker = checker
        page.on("websocket", self._opened)

    def _received(self, text: str | bytes) -> None:
        self._checker.received(text)

    def _opened(self, socket: WebSocket) -> None:
        self.connections += 1
        self._checker.opened()
        socket.on("framesent", lambda text: self._checker.sent(json.loads(text)))
        socket.on("framereceived", self._received)
        socket.on("close", lambda _: self._checker.closed())
