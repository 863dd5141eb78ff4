"""Independent streams of pseudo-randomness that one seed and a name lead to.  Pure.

`random.Random` is the Mersenne Twister with documented, version-stable `random()`; a name is hashed by BLAKE2
since Python's own `hash` differs from process to process.
"""

from __future__ import annotations

from hashlib import blake2b
from random import Random


def stream_seed(seed: int, *name: object) -> int:
    """Return the seed of the stream called *name*: any other name or *seed* leads to an unrelated stream."""
    text = "/".join(str(part) for part in (seed, *name))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def stream(seed: int, *name: object) -> Random:
    """Return the stream called *name*."""
    return Random(stream_seed(seed, *name))  # noqa: S311 - a simulated market keeps no secret
