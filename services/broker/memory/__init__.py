"""A broker inside the process: kind for the demo, as unkind as a real one where a test asks for it."""

from services.broker.memory.broker import MemoryBroker
from services.broker.memory.faults import Faults

__all__ = ["Faults", "MemoryBroker"]
