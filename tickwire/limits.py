"""Every limit that a stranger may meet, in one table: how much, which setting, what follows, what counts it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from gateway.settings import GatewaySettings
from services.runtime.settings import default, variable


class Limit(NamedTuple):
    """One row.

    *of*: fields of `GatewaySettings`, or constants as `module.NAME`, in the order in which *amount* names their
    values as `{}`.  *beyond*: what follows.  *metric*: what counts it, with the label where there is one.
    """

    what: str
    of: tuple[str, ...]
    amount: str
    beyond: str
    metric: str


LIMITS: Final = (
    Limit(
        "connections, per worker",
        ("max_connections",),
        "{}",
        "HTTP 503 with `Retry-After`, or close 1013",
        'tickwire_handshakes_total{result="overloaded"}',
    ),
    Limit(
        "connections from one address (of IPv6: one /64), per worker",
        ("max_per_address",),
        "{}",
        "HTTP 429 with `Retry-After`, or close 1013",
        'tickwire_handshakes_total{result="address_full"}',
    ),
    Limit(
        "connections of one subject, per worker; the claim `max_connections` goes before",
        ("max_per_subject",),
        "{}",
        "HTTP 429 with `Retry-After`, or close 1013",
        'tickwire_handshakes_total{result="subject_full"}',
    ),
    Limit(
        "handshakes from one address, tickets among them",
        ("handshake_rate", "handshake_burst"),
        "{} per second, {} at once",
        "HTTP 429 with `Retry-After`, or close 1013",
        'tickwire_handshakes_total{result="too_fast"}',
    ),
    Limit(
        "plain HTTP requests from one address",
        ("http_rate", "http_burst"),
        "{} per second, {} at once",
        "HTTP 429 with `Retry-After`",
        "tickwire_http_refused_total",
    ),
    Limit(
        "plain HTTP requests answered at once, per worker",
        ("gateway.wires.http.gate.UNDER_WAY",),
        "{}",
        "HTTP 503 with `Retry-After`",
        "tickwire_http_under_way",
    ),
    Limit(
        "bytes of their answers that clients have not taken, per worker",
        ("gateway.wires.http.gate.UNSENT_BYTES",),
        "{}",
        "HTTP 503 with `Retry-After`",
        "tickwire_http_unsent_bytes",
    ),
    Limit(
        "connections without a complete request",
        ("max_pending",),
        "{}",
        "the oldest is dropped",
        'tickwire_pending_dropped_total{reason="crowded"}',
    ),
    Limit(
        "a TLS handshake",
        ("gateway.tls.HANDSHAKE_S",),
        "{} s",
        "the connection is dropped",
        "tickwire_tls_unfinished_total",
    ),
    Limit(
        "until a connection's first byte",
        ("first_byte_s",),
        "{} s",
        "the connection is dropped",
        'tickwire_pending_dropped_total{reason="first_byte"}',
    ),
    Limit(
        "until its whole request",
        ("request_s",),
        "{} s",
        "the connection is dropped",
        'tickwire_pending_dropped_total{reason="request"}',
    ),
    Limit(
        "bytes of a request that is not complete",
        ("gateway.admission.porch.REQUEST_BYTES",),
        "{}",
        "the connection is dropped",
        'tickwire_pending_dropped_total{reason="large"}',
    ),
    Limit(
        "until a token, where the handshake had none",
        ("auth_s",),
        "{} s",
        "close 4501",
        'tickwire_handshakes_total{result="no_token"}',
    ),
    Limit(
        "life that a token may still have",
        ("jwt_life_s",),
        "{} s",
        "HTTP 401, or close 4501",
        'tickwire_tokens_refused_total{reason="lives_too_long"}',
    ),
    Limit(
        "a ticket that nobody has used",
        ("services.broker.tickets.TICKET_S",),
        "{} s",
        "HTTP 401, or close 4401",
        'tickwire_tokens_refused_total{reason="expired"}',
    ),
    Limit(
        "bytes of one message",
        ("message_bytes",),
        "{}",
        "close 1009",
        'tickwire_closes_total{code="1009"}',
    ),
    Limit(
        "fragments of one message",
        ("gateway.wires.inbound.PIECES",),
        "{}",
        "close 1002",
        'tickwire_closes_total{code="1002"}',
    ),
    Limit(
        "commands, of which one about 25 names counts as two, about 50 as three, up to half the burst",
        ("command_rate", "command_burst"),
        "{} per second, {} at once",
        "close 4429",
        'tickwire_floods_total{of="commands"}',
    ),
    Limit(
        "pings, and pongs that nobody asked for",
        ("ping_rate", "ping_burst"),
        "{} per second, {} at once",
        "close 4429",
        'tickwire_floods_total{of="pings"}',
    ),
    Limit(
        "symbols of one connection; the claim `max_symbols` may say less",
        ("max_symbols",),
        "{}",
        "`error` `too_many_symbols`",
        'tickwire_commands_total{result="too_many_symbols"}',
    ),
    Limit(
        "ticks of the past, per connection and minute; of HTTP per subject, or address",
        ("replay_ticks",),
        "{}",
        "`gap` `unavailable` to null, then `snapshot`; HTTP 429",
        "tickwire_replays_refused_total",
    ),
    Limit(
        "symbols bound or unbound at the broker, per worker",
        ("bind_rate", "bind_burst"),
        "{} per second, {} at once",
        "they wait their turn, one client's after another's; after 10 s: rejected `feed_unavailable`",
        "tickwire_transitions_delayed_total",
    ),
    Limit(
        "pings of the gateway's, in a row, upon which nothing at all comes",
        ("gateway.session.PING_S",),
        "2, {} s apart",
        "the connection is dropped",
        'tickwire_evictions_total{reason="silent"}',
    ),
    Limit(
        "without one byte taken while something waits for the client",
        ("stuck_s",),
        "{} s",
        "the connection is dropped, as 4408 in log and metrics",
        'tickwire_evictions_total{reason="stuck"}',
    ),
    Limit(
        "age of a connection, 10 % more or less",
        ("age_s",),
        "{} s",
        "`reconnect` `age`, then close 1012",
        'tickwire_closes_total{code="1012"}',
    ),
)


def limits_table() -> str:
    """Return all limits as a Markdown table, with the defaults that the settings have."""
    rows = ["| limit | default | setting | beyond it | metric |", "|---|---|---|---|---|"]
    rows += [f"| {' | '.join(_cells(limit))} |" for limit in LIMITS]
    return "\n".join(rows) + "\n"


def _cells(limit: Limit) -> Iterator[str]:
    yield limit.what
    yield limit.amount.format(*map(_value, limit.of))
    yield ", ".join(f"`{variable(name)}`" for name in limit.of if "." not in name) or "none"
    yield limit.beyond
    yield f"`{limit.metric}`"


def _value(name: str) -> str:
    module, _, constant = name.rpartition(".")
    if module:
        return f"{getattr(importlib.import_module(module), constant):,.10g}"
    return f"{float(default(GatewaySettings.model_fields[name])):,.10g}"
