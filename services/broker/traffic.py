"""What comes over connections to the broker, in plain integers.  Pure."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum


class Refused(StrEnum):
    """Why the broker closed a channel: the reply codes of AMQP 0.9.1 that it uses for that, and any other."""

    CONTENT_TOO_LARGE = "311"
    NO_CONSUMERS = "313"
    ACCESS_REFUSED = "403"
    NOT_FOUND = "404"
    RESOURCE_LOCKED = "405"
    PRECONDITION_FAILED = "406"
    OTHER = "other"


_BY_CODE = {code.value: code for code in Refused}


class Traffic:
    """What came over the connections of one role since the start."""

    __slots__ = ("received", "refused")

    def __init__(self) -> None:
        self.received = 0
        """Bytes; those of TLS do not count."""
        self.refused: Counter[Refused] = Counter(dict.fromkeys(Refused, 0))
        """Channels that the broker closed."""

    def refuse(self, code: int) -> None:
        """The broker closed a channel with reply *code*."""
        self.refused[_BY_CODE.get(str(code), Refused.OTHER)] += 1
