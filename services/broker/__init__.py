"""How ticks travel between processes: the ports, the topology, and the two adapters."""
