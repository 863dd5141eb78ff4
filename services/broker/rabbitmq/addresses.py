"""The broker's addresses, from one setting (PURE)."""

from __future__ import annotations

from typing import Final

from yarl import URL

from services.errors import BadSettings

HEARTBEAT_S: Final = 5
"""RabbitMQ's advice is 5 to 20 s, and that less gives false alarms."""
OPTIONS: Final = frozenset({"auth", "cafile", "capath", "certfile", "heartbeat", "keyfile"})
"""What an address may say behind its `?`.  aiormq ignores a word that it does not know, so `verify=1` would be as
good as nothing; and it knows `no_verify_ssl`, by which anybody is taken for the broker."""
_PORTS: Final = {"amqp": 5672, "amqps": 5671}


def parse_addresses(setting: str, *, name: str, heartbeat: int | None = None) -> tuple[URL, ...]:
    """Return the addresses in *setting*, separated by commas, each with heartbeat and connection name.

    An address may state its own `heartbeat` from 1 to 60 s, and files of TLS: `cafile` (whom to trust), `certfile`
    and `keyfile` (who we are).  The broker's certificate and its host name are always verified.  *heartbeat*
    stands whatever an address says.

    Raises:
        BadSettings: an address is not amqp:// or amqps:// with a host, has an option that is none of `OPTIONS`, or
            its heartbeat is out of range.
    """
    faults: list[str] = []
    found = [_parse(text.strip(), name, faults) for text in setting.split(",")]
    if faults:
        raise BadSettings(faults)
    return tuple(found) if heartbeat is None else tuple(u.update_query(heartbeat=str(heartbeat)) for u in found)


def shown(address: URL) -> str:
    """Return host and port: what a log line may say of an address."""
    return f"{address.host}:{address.port}"


def _parse(text: str, name: str, faults: list[str]) -> URL:
    try:
        url = URL(text)
        heartbeat = int(url.query.get("heartbeat", HEARTBEAT_S))
    except ValueError:
        url, heartbeat = URL(), 0
    if url.scheme not in _PORTS or not url.host:
        # Not the text itself: it may hold a password.
        faults.append("TICKWIRE_BROKER_URL: each address is amqp://user:password@host:port/vhost or amqps://…")
    elif not OPTIONS.issuperset(url.query):
        faults.append(
            f"TICKWIRE_BROKER_URL: behind the ? of an address stand {', '.join(sorted(OPTIONS))} only; "
            "a certificate is always verified, and TICKWIRE_BROKER_CA says against which authority"
        )
    elif not 1 <= heartbeat <= 60:  # noqa: PLR2004 - 0 makes aiormq give up after 3 s without frames
        faults.append(f"TICKWIRE_BROKER_URL: heartbeat is 1 to 60 s, not {heartbeat}")
    else:
        url = url.with_port(url.explicit_port or _PORTS[url.scheme])
        url = url.update_query(heartbeat=str(heartbeat), name=name)
    return url
