"""Every error that Tickwire raises on purpose.

TickwireError
 ├─ BadInput               input that no process accepts; the sentence names what is wrong and allowed
 │   ├─ BadSymbol          a symbol that does not match the pattern
 │   ├─ BadSettings        settings of a process (all faults at once)
 │   ├─ BadSymbolFile      a symbol file: file, line, column, reason
 │   ├─ MalformedMessage   a message on the broker that no codec of ours wrote
 │   └─ TokenRefused       a token, key or ticket that lets nobody in (`gateway.admission`)
 ├─ BrokerUnavailable      the broker cannot serve this now; it will be tried again
 ├─ HistoryUnavailable     no history answered in time
 ├─ KeysUnavailable        the keys that tokens are checked with were never fetched
 ├─ LeaseTaken             another producer publishes this shard
 ├─ CannotListen           an address that is taken or not ours: variable, address, reason
 └─ MissingRequirement     the machine lacks something that the command needs
"""

from __future__ import annotations

import errno


class TickwireError(Exception):
    """Root of the tree."""


class BadInput(TickwireError):
    """Somebody sent what no process accepts."""


class BadSymbol(BadInput):
    """A symbol that does not match the pattern of `services.market.symbol`."""


class BadSettings(BadInput):
    """Settings that a process cannot start with.

    Attributes:
        faults: one sentence per wrong setting, each naming the variable and the allowed values.
    """

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class BadSymbolFile(BadInput):
    """A symbol file that cannot be used: says file, line, column and reason."""

    def __init__(self, path: str, line: int, column: str, reason: str) -> None:
        super().__init__(f"{path}, line {line}, column {column}: {reason}")
        self.path, self.line, self.column, self.reason = path, line, column, reason


class MalformedMessage(BadInput):
    """A message on the broker that no codec of ours wrote; it is counted and skipped."""


class BrokerUnavailable(TickwireError):
    """The broker cannot serve this now; whoever asked tries again."""


class HistoryUnavailable(TickwireError):
    """No history answered in time."""


class KeysUnavailable(TickwireError):
    """The keys that tokens are checked with were never fetched; whoever showed a token tries again."""


class LeaseTaken(TickwireError):
    """Another producer holds the lease of the shard; the sentence says how to wait for it."""

    def __init__(self, shard: str, waited: float) -> None:
        super().__init__(
            f"another producer has held the lease of shard {shard} for {waited:g} s; "
            "tickwire producer --standby waits for it, TICKWIRE_SHARD names another shard"
        )
        self.shard = shard


class CannotListen(TickwireError):
    """An address is taken or not this machine's; the sentence names the variable that changes it."""

    def __init__(self, variable: str, host: str, port: int, cause: OSError) -> None:
        reason = "the port is in use" if cause.errno == errno.EADDRINUSE else cause.strerror or str(cause)
        super().__init__(f"cannot listen on {host}:{port}: {reason}; {variable} chooses another port")
        self.variable, self.host, self.port = variable, host, port


class MissingRequirement(TickwireError):
    """The machine lacks something that the command needs; the sentence says what to install."""
