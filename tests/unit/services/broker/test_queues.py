"""How symbols are divided among live queues."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.broker.queues import MAX_BUCKETS, PER_SYMBOL, SHARED_LENGTH, Queues, parse_queues
from services.broker.topology import LIVE_ARGUMENTS
from services.market.symbol import Symbol

SYMBOLS = st.from_regex(r"[A-Z0-9][A-Z0-9.\-]{0,15}", fullmatch=True).map(Symbol)
BUCKETS = st.integers(1, MAX_BUCKETS)


@given(SYMBOLS)
def test_each_symbol_has_its_own_queue(symbol: Symbol) -> None:
    """Without buckets a symbol's queue is its own, with the arguments of one symbol."""
    assert PER_SYMBOL.slot(symbol) == symbol
    assert PER_SYMBOL.arguments == LIVE_ARGUMENTS


@given(SYMBOLS, BUCKETS)
def test_buckets_are_numbered(symbol: Symbol, buckets: int) -> None:
    """A symbol's bucket is a number below K."""
    assert Queues(buckets).slot(symbol) in range(buckets)


def test_the_hash_is_stable() -> None:
    """The bucket of a symbol is the same in every process: no hash that Python seeds anew."""
    assert [Queues(64).slot(Symbol(name)) for name in ("AAPL", "MSFT", "BRK.B")] == [28, 59, 44]


@pytest.mark.parametrize("buckets", [16, 64, 256])
def test_symbols_are_spread(buckets: int) -> None:
    """Of 10,000 symbols numbered like a test's, no bucket has more than half again its share, or under half."""
    counts = Counter(Queues(buckets).slot(Symbol(f"S{n:05d}")) for n in range(10_000))
    share = 10_000 / buckets
    assert len(counts) == buckets
    assert max(counts.values()) < 1.5 * share
    assert min(counts.values()) > 0.5 * share


@given(BUCKETS)
def test_a_bucket_has_room_for_its_share(buckets: int) -> None:
    """A bucket holds a symbol's messages and its share of `SHARED_LENGTH`; a message lives as long as ever."""
    arguments = Queues(buckets).arguments
    length = int(arguments["x-max-length"])
    own = int(LIVE_ARGUMENTS["x-max-length"])
    assert SHARED_LENGTH <= buckets * (length - own) < SHARED_LENGTH + buckets
    assert {**arguments, "x-max-length": own} == LIVE_ARGUMENTS


@given(st.integers(1, MAX_BUCKETS - 1))
def test_more_buckets_are_shorter(buckets: int) -> None:
    """A bucket is never longer for there being more of them."""
    lengths = [int(Queues(k).arguments["x-max-length"]) for k in (buckets, buckets + 1)]
    assert lengths[0] >= lengths[1]


@given(st.integers(0, MAX_BUCKETS))
def test_what_is_shown_is_read_again(buckets: int) -> None:
    """`str` and `parse_queues` are each other's inverse."""
    assert parse_queues(str(Queues(buckets))) == Queues(buckets)


@pytest.mark.parametrize(
    "text",
    [
        *("", "symbols", "SYMBOL", "bucket", "bucket:", "bucket:0", "bucket:01", "bucket:1025", "bucket:-1"),
        *("bucket:K", "bucket:1.5", "bucket:64 ", " bucket:64", "bucket:\u0664", "bucket:99999"),
    ],
)
def test_what_is_neither_is_refused(text: str) -> None:
    """What is neither `symbol` nor a K from 1 to 1024 is refused, and what is allowed is said."""
    with pytest.raises(ValueError, match="not symbol or bucket:K, K from 1 to 1024"):
        parse_queues(text)
