"""Clients and limits: who comes in, who is refused and why, and how far each limit is used."""

from __future__ import annotations

from typing import Final

from deploy.grafana.board import Board, Row
from deploy.grafana.panel import SHARE_OF_LIMIT, Query, graph
from deploy.grafana.promql import chosen, events, most, rare, rate, share, total

COMING: Final = Row(
    "Who comes in",
    (
        graph(
            "Handshakes",
            "Attempts to connect by result, only what happened.  overloaded: the gateway is full.  too_fast, "
            "address_full, subject_full: one address or subject asks for too much.",
            "cps",
            Query(events("tickwire_handshakes_total", "result"), "{{result}}"),
            pages=("Handshake budget fast",),
        ),
        graph(
            "Refused",
            "Share of the handshakes that let nobody in, whoever's fault it was.",
            "percentunit",
            Query(
                share(rate("tickwire_handshakes_total", result="!ok"), rate("tickwire_handshakes_total")),
                "refused",
            ),
            highest=1,
        ),
        graph(
            "Time of a handshake",
            "From the accepted connection to the welcome, the check of the token included; 0 while nobody comes.",
            "s",
            Query(rare(0.5, "tickwire_handshake_seconds"), "p50"),
            Query(rare(0.99, "tickwire_handshake_seconds"), "p99"),
        ),
        graph(
            "Connections without a complete request",
            "Now.  The line: beyond 1,000 (TICKWIRE_MAX_PENDING) the oldest is dropped.",
            "short",
            Query(chosen("tickwire_connections_pending"), "{{instance}}"),
            decimals=0,
            steps=((None, "green"), (1_000, "red")),
        ),
        graph(
            "Dropped before their request was complete",
            "By reason: first_byte, request and idle are timeouts; large and crowded are limits.",
            "cps",
            Query(rate("tickwire_pending_dropped_total", "reason"), "{{reason}}"),
        ),
        graph(
            "Requests that were none",
            "garbled: no HTTP.  oversized: headers or body too large.  unfinished: TLS handshakes that failed.",
            "cps",
            Query(rate("tickwire_requests_garbled_total"), "garbled"),
            Query(rate("tickwire_requests_oversized_total"), "oversized"),
            Query(rate("tickwire_tls_unfinished_total"), "TLS unfinished"),
        ),
        graph(
            "Connections",
            "accepted: by the kernel, whatever became of them.",
            "cps",
            Query(rate("tickwire_accepted_total", "instance"), "accepted {{instance}}"),
            Query(rate("tickwire_accept_exhausted_total"), "no descriptor left"),
        ),
        graph(
            "Addresses and subjects",
            "Addresses and subjects with connections, and addresses whose last handshakes are remembered.",
            "short",
            Query(total(chosen("tickwire_addresses")), "addresses"),
            Query(total(chosen("tickwire_subjects")), "subjects"),
            Query(total(chosen("tickwire_addresses_remembered")), "addresses remembered"),
            decimals=0,
        ),
        graph(
            "Subscriptions",
            "Symbols followed, summed over clients.",
            "short",
            Query(chosen("tickwire_subscriptions"), "{{instance}}"),
            decimals=0,
        ),
    ),
)

TOKENS: Final = Row(
    "Tokens, keys and tickets",
    (
        graph(
            "Tokens accepted and refused",
            "Refused ones by reason.  Many unknown_key: the issuer has new keys.  Many signature or malformed: "
            "somebody guesses.",
            "cps",
            Query(rate("tickwire_tokens_accepted_total"), "accepted"),
            Query(events("tickwire_tokens_refused_total", "reason"), "{{reason}}"),
            pages=("Auth refusals",),
        ),
        graph(
            "Keys",
            "That tokens are verified with, or API keys.  0 with TICKWIRE_AUTH set: nobody can come in.",
            "none",
            Query(chosen("tickwire_keys"), "{{instance}}"),
            decimals=0,
        ),
        graph(
            "Age of the keys",
            "Since the last good fetch of the JSON Web Key set; 0 without an address to fetch from.",
            "s",
            Query(chosen("tickwire_keys_age_seconds"), "{{instance}}"),
        ),
        graph(
            "Fetches of keys",
            "By result, and versions of a file of keys that could not be used; the last good one counts on.",
            "cps",
            Query(rate("tickwire_keys_fetches_total", "result"), "{{result}}"),
            Query(rate("tickwire_keys_unloaded_total"), "file not usable"),
        ),
        graph(
            "Revocations",
            "Subjects and tokens known to be called back.",
            "none",
            Query(chosen("tickwire_revocations"), "{{instance}}"),
            decimals=0,
        ),
        graph(
            "Tickets",
            "Put at the broker and taken from it by outcome.  unavailable: the broker did not answer, and nobody "
            "with a ticket comes in.",
            "cps",
            Query(events("tickwire_tickets_total", "outcome"), "{{outcome}}"),
        ),
        graph(
            "Ended since a token was no good any more",
            "4401 expired, 4501 refused, 4503 forbidden.",
            "cps",
            Query(rate("tickwire_closes_total", "code", code="~4401|4501|4503"), "{{code}}"),
        ),
        graph(
            "Certificate",
            "Time until it expires, the gateway's own and what the canary sees.  No own one: a proxy ends TLS.",
            "s",
            Query(
                f"({chosen('tickwire_certificate_not_after_seconds')} > 0) - time() "
                "or (tickwire_canary_certificate_not_after_seconds > 0) - time()",
                "{{job}} {{instance}}",
            ),
            decimals=1,
            pages=("Certificate ends",),
        ),
        graph(
            "Renewals of the certificate",
            "Changes of its files by what became of them; failed: the old one is used until it expires.",
            "cps",
            Query(rate("tickwire_certificate_renewals_total", "result"), "{{result}}"),
            pages=("Certificate not renewed",),
        ),
    ),
)

COMMANDS: Final = Row(
    "What clients ask for",
    (
        graph(
            "Commands",
            "That were answered, by kind.",
            "cps",
            Query(rate("tickwire_commands_total", "op", result="ok"), "{{op}}"),
        ),
        graph(
            "Errors",
            "Commands that were answered by an error, by code; only what happened.  A new release of somebody's "
            "client shows here.",
            "cps",
            Query(events("tickwire_commands_total", "result", result="!ok"), "{{result}}"),
        ),
        graph(
            "Rejected symbols",
            "By reason.  feed_unavailable: RabbitMQ did not bind it within 10 s.",
            "cps",
            Query(events("tickwire_rejections_total", "reason"), "{{reason}}"),
        ),
        graph(
            "Floods",
            "Clients that sent more commands or pings than they may: closed with 4429.",
            "cps",
            Query(rate("tickwire_floods_total", "of"), "{{of}}"),
            pages=("Rate limited",),
        ),
        graph(
            "Replays",
            "Ticks of the past that clients resumed for, and replays beyond what one client may ask for.",
            "cps",
            Query(rate("tickwire_ticks_replayed_total"), "ticks"),
            Query(rate("tickwire_replays_refused_total"), "refused"),
        ),
        graph(
            "Waiting for the broker",
            "Mean time that a binding had to wait since too many were asked for at once.",
            "s",
            Query(
                share(rate("tickwire_transitions_waited_seconds_total"), rate("tickwire_transitions_total")),
                "mean per binding",
            ),
        ),
    ),
)

LIMITS: Final = Row(
    "Limits and how far they are used",
    (
        graph(
            "Connections of the most allowed",
            "TICKWIRE_MAX_CONNECTIONS of each gateway.  At 1 it answers 503 and is not ready: add gateways "
            "before.",
            "percentunit",
            Query(f"{chosen('tickwire_connections')} / {chosen('tickwire_connections_max')}", "{{instance}}"),
            highest=1,
            steps=SHARE_OF_LIMIT,
            pages=("Connections near max",),
        ),
        graph(
            "File descriptors of the most allowed",
            "At 1 nobody can be accepted.",
            "percentunit",
            Query(f"{chosen('process_open_fds')} / {chosen('process_max_fds')}", "{{instance}}"),
            highest=1,
            steps=SHARE_OF_LIMIT,
        ),
        graph(
            "A core of one",
            "CPU of each gateway; its loop has one core at most.",
            "percentunit",
            Query(
                rate("process_cpu_seconds_total", "instance"),
                "{{instance}}",
            ),
            highest=1,
            steps=SHARE_OF_LIMIT,
        ),
        graph(
            "Bindings",
            "Symbols bound or unbound at RabbitMQ by each gateway.  The line: the 500 a second that it may "
            "(TICKWIRE_BIND_RATE); beyond it they wait.",
            "cps",
            Query(rate("tickwire_transitions_total", "instance"), "{{instance}}"),
            steps=((None, "green"), (500, "red")),
        ),
        graph(
            "Unsent bytes of one client",
            "Of the client with most.  From 64 KiB on it conflates, so much more is a burst of one moment.",
            "bytes",
            Query(most(chosen("tickwire_clients_buffered_bytes_max")), "largest"),
        ),
        graph(
            "Limits that were met",
            "Clients, requests and bindings turned away or delayed by a limit, by which one.",
            "cps",
            Query(
                events("tickwire_handshakes_total", "result", result="~overloaded|too_fast|.*_full"), "{{result}}"
            ),
            Query(rate("tickwire_floods_total"), "flood"),
            Query(rate("tickwire_pending_dropped_total", reason="crowded"), "pending crowded"),
            Query(rate("tickwire_transitions_delayed_total"), "bindings delayed"),
            Query(rate("tickwire_revocations_overflowed_total"), "revocations forgotten"),
            pages=("Rate limited",),
        ),
    ),
)

CLIENTS: Final = Board(
    "clients",
    "Tickwire: clients and limits",
    "Handshakes, tokens, commands, rejections, floods, and each limit against its maximum.",
    "label_values(tickwire_connections, instance)",
    (COMING, TOKENS, COMMANDS, LIMITS),
)
