# ruff: noqa: INP001 - a script beside what it serves, not part of a package
"""Make the Secrets that a first start needs: one List of objects on standard output, for kubectl.

    python3 -m deploy.kubernetes.passwords production | kubectl --namespace tickwire create -f -

Each process gets its own user of RabbitMQ, as in Compose; the broker gets salted hashes only.  `create` refuses
what is there already, so no password is ever replaced by accident.  Nothing is written to a disk, and nothing to a
terminal.  It imports nothing but the standard library.
"""

from __future__ import annotations

import base64
import json
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TextIO

from deploy.credentials import OPERATOR, PROCESSES, password_hash

TEMPLATE: Final = Path(__file__).parents[1] / "rabbitmq" / "definitions.json"
_BYTES: Final = 32


class Site(NamedTuple):
    """How RabbitMQ is reached in an overlay."""

    scheme: str
    port: int
    nodes: int

    @property
    def hosts(self) -> list[str]:
        """The Service, dialled first, so that processes spread over the nodes, then each node of several.

        Of fewer than three addresses a process thinks that it is no cluster.
        """
        several = range(self.nodes) if self.nodes > 1 else ()
        return ["broker", *(f"broker-server-{number}.broker-nodes" for number in several)]

    def url(self, name: str, password: str) -> str:
        """Return what `TICKWIRE_BROKER_URL` is for the user *name*."""
        return ",".join(f"{self.scheme}://{name}:{password}@{host}:{self.port}/" for host in self.hosts)


SITES: Final[Mapping[str, Site]] = {
    "local": Site("amqp", 5672, 1),
    "production": Site("amqps", 5671, 3),
}


def make(site: Site, template: Mapping[str, Any]) -> dict[str, Any]:
    """Return a List of Secrets with new passwords, for a broker that *template* is loaded into."""
    passwords = {name: secrets.token_urlsafe(_BYTES) for name in (*PROCESSES, OPERATOR)}
    definitions = {**template, "users": [_user(name, password) for name, password in passwords.items()]}
    environments = {name: f"TICKWIRE_BROKER_URL={site.url(name, passwords[name])}\n" for name in PROCESSES}
    # What gateways sign one-time tickets with: the same for all of them, since each must take the others'.
    environments["gateway"] += f"TICKWIRE_TICKET_SECRET={secrets.token_urlsafe(_BYTES)}\n"
    return {
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            _secret("broker-definitions", {"definitions.json": json.dumps(definitions, indent=2)}),
            *(_secret(f"{name}-credentials", {"env": text}) for name, text in environments.items()),
            _secret("operator-login", {"username": OPERATOR, "password": passwords[OPERATOR]}),
        ],
    }


def main(arguments: Sequence[str], out: TextIO) -> int:
    """Run the command; return the exit code."""
    if len(arguments) != 1 or arguments[0] not in SITES:
        sys.stderr.write(
            f"usage: python3 -m deploy.kubernetes.passwords {'|'.join(SITES)} | kubectl create -f -\n"
        )
        return 2
    if out.isatty():
        sys.stderr.write("passwords: these are secrets, not for a screen: pipe them into `kubectl create -f -`\n")
        return 2
    json.dump(make(SITES[arguments[0]], json.loads(TEMPLATE.read_text())), out)
    return 0


def _user(name: str, password: str) -> dict[str, Any]:
    return {
        "name": name,
        "password_hash": password_hash(password, secrets.token_bytes(4)),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": ["administrator"] if name == OPERATOR else [],
    }


def _secret(name: str, data: Mapping[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "tickwire"}},
        "type": "Opaque",
        "data": {key: base64.b64encode(text.encode()).decode() for key, text in data.items()},
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.stdout))
