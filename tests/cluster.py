"""Three RabbitMQ nodes of one cluster on this machine: killed, frozen, parted and joined again by the tests.

Nodes of the machine's rabbitmq-server (`tests.brokers`), found by each other through a list of names.  A container
engine does not help here: the nodes must reach each other's distribution ports by name.

**Partition.**  One node takes a wrong cookie for the two others and drops the connections to them, so that neither
side can make a new one: to both it is a broken network.  It needs no firewall, no network namespace and no root.
What it is not is a network that swallows packets: both sides know at once (a silent one would be noticed after
`net_ticktime`, 60 s).  With `pause_minority` the node that is alone closes its listener and every connection.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from services.errors import MissingRequirement
from tests.brokers import LocalBroker, local_folder, sites

NODES: Final = 3
JOIN_S: Final = 120
"""Longest wait until all nodes know each other: 20 s were seen on two idle cores."""
_WRONG: Final = "a_cookie_of_nobody"


class Cluster:
    """The nodes; `urls` has their addresses in the same order."""

    def __init__(self) -> None:
        folder = local_folder()
        if folder is None:
            raise MissingRequirement("the cluster tests need rabbitmq-server (3.10 or later) on this machine")
        places = sites(NODES)
        settings = [
            "cluster_formation.peer_discovery_backend = classic_config",
            *(f"cluster_formation.classic_config.nodes.{n} = {site.name}" for n, site in enumerate(places, 1)),
            "cluster_partition_handling = pause_minority",
        ]
        self.nodes = [LocalBroker(folder, settings="\n".join(settings) + "\n", site=site) for site in places]

    @property
    def urls(self) -> list[str]:
        """The address of each node."""
        return [node.url for node in self.nodes]

    def start(self) -> None:
        """Start all nodes and wait until they are one cluster."""
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            node.wait()
        self.join()

    def join(self) -> None:
        """Return once every node sees all three; one that paused for want of a majority starts by itself."""
        end = time.monotonic() + JOIN_S
        for node in self.nodes:
            while True:
                try:
                    node.ctl("await_online_nodes", str(NODES), "-t", "10")
                    node.wait()
                except RuntimeError:
                    if time.monotonic() > end:
                        raise
                else:
                    break

    def restart(self, number: int) -> None:
        """Start a node that was killed, and wait until it is back in the cluster."""
        self.nodes[number].start()
        self.join()

    @contextmanager
    def parted(self, number: int) -> Iterator[None]:
        """Part node *number* from the other two until the end of the block."""
        self._part(number, _WRONG)
        try:
            yield
        finally:
            self._part(number, self.nodes[number].site.cookie)

    def _part(self, number: int, cookie: str) -> None:
        # On one side only: the same wrong cookie on both would be a right one.
        alone = self.nodes[number]
        others = [node.site.name for node in self.nodes if node is not alone]
        told = [f"erlang:set_cookie('{name}', '{cookie}'), erlang:disconnect_node('{name}')" for name in others]
        alone.ctl("eval", ", ".join(told) + ".")

    def remove(self) -> None:
        """Stop all nodes and their epmd, and delete their folders."""
        for node in self.nodes:
            node.remove()
