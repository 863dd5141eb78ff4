"""The HTTP wire, put together for one gateway."""

from __future__ import annotations

from aiohttp import web

from gateway.admission.reception import Reception
from gateway.settings import GatewaySettings
from gateway.wires.caller import Networks
from gateway.wires.http.answer import Content
from gateway.wires.http.archive import Archive
from gateway.wires.http.doubts import Doubts
from gateway.wires.http.figures import Figures, Route
from gateway.wires.http.front import Front, Visit
from gateway.wires.http.metrics import HttpCollector
from gateway.wires.http.pace import Pace
from gateway.wires.http.query import (
    CANDLES_PARAMETERS,
    QUOTES_PARAMETERS,
    SYMBOLS_PARAMETERS,
    TICKS_PARAMETERS,
)
from gateway.wires.http.recall import Recall
from gateway.wires.http.resources import MarketFeed, Resources
from gateway.wires.problem import NOT_FOUND, Problem
from services.broker.history import History
from services.runtime.clock import Clock


class Http:
    """The wire; *collector* is for a registry."""

    def __init__(
        self,
        settings: GatewaySettings,
        feed: MarketFeed,
        history: History,
        clock: Clock,
        *,
        reception: Reception,
        trusted: Networks,
        origins: frozenset[str],
    ) -> None:
        figures, recall, doubts = Figures(), Recall(), Doubts()
        pace = Pace(settings.http_rate, settings.http_burst)
        self._front = Front(reception, trusted, origins, clock=clock, figures=figures, pace=pace)
        self._resources = Resources(
            feed,
            Archive(history, clock, recall, figures),
            clock,
            doubts,
            rates=Pace(1.0, 1.0),
            past=Pace(settings.replay_ticks / 60, settings.replay_ticks),
        )
        self.collector = HttpCollector(figures, recall, doubts, pace)

    def add(self, application: web.Application) -> None:
        """Serve its routes."""
        front, resources, router = self._front, self._resources, application.router
        for path, route, known, work in (
            ("/v1/symbols", Route.SYMBOLS, SYMBOLS_PARAMETERS, resources.symbols),
            ("/v1/quotes", Route.QUOTES, QUOTES_PARAMETERS, resources.quotes),
            ("/v1/ticks/{symbol}", Route.TICKS, TICKS_PARAMETERS, resources.ticks),
            ("/v1/candles/{symbol}", Route.CANDLES, CANDLES_PARAMETERS, resources.candles),
        ):
            router.add_route("*", path, front.handler(route, known, work))

    def add_rest(self, application: web.Application) -> None:
        """Say of every other path below /v1 that it is not there; to be called after all other wires."""
        application.router.add_get("/v1/{rest:.*}", self._front.handler(Route.NONE, None, _nothing))


async def _nothing(visit: Visit) -> Content:
    del visit
    raise Problem(NOT_FOUND, "There is nothing at this path; /docs lists what there is.")
