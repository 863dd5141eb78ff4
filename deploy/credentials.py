# ruff: noqa: INP001 - a script of the image, not part of a package
"""Make the stack's passwords on its first start, each where only the container that needs it can read it.

    credentials.py          make what is missing (the Compose service `credentials`, before everything else)
    credentials.py show     print the operator's and Grafana's logins

It imports nothing but the standard library.  The broker gets salted hashes only, inside its definitions; each
process gets a file with its own TICKWIRE_BROKER_URL, gateways also with what they sign tickets with; nothing is
ever derived from a name or a default.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

CREDENTIALS: Final = Path("/credentials")
"""One folder per reader; each is a volume of its own."""
DATA: Final = Path("/data")
"""Folders of programs that run as our user though their images do not know it: mounted here, they get it."""
TEMPLATE: Final = Path(__file__).with_name("definitions.json")

PROCESSES: Final = ("producer", "gateway", "history")
OPERATOR: Final = "operator"
GRAFANA: Final = "grafana"
BROKER: Final = "rabbitmq:5672"
_TICKET_SECRET: Final = "TICKWIRE_TICKET_SECRET"  # noqa: S105 - its name
_BYTES: Final = 32
_READABLE: Final = 0o444
"""Each file lies alone in a volume that only its reader mounts, and readers have different user ids."""


def make(credentials: Path, template: Path) -> None:
    """Make every missing password, then the broker's definitions from all of them and *template*."""
    passwords = {name: _process_password(credentials / name / "env", name) for name in PROCESSES}
    _add_ticket_secret(credentials / "gateway" / "env")
    passwords[OPERATOR] = _password(credentials / OPERATOR / "password")
    _password(credentials / GRAFANA / "password")
    definitions = json.loads(template.read_text())
    definitions["users"] = [_user(name, password) for name, password in passwords.items()]
    _write(credentials / "broker" / "definitions.json", json.dumps(definitions, indent=2) + "\n")


def show(credentials: Path) -> str:
    """Return the logins that a person may need, one a line."""
    management = (credentials / OPERATOR / "password").read_text()
    grafana = (credentials / GRAFANA / "password").read_text()
    return f"RabbitMQ management: {OPERATOR} {management}\nGrafana: admin {grafana}\n"


def password_hash(password: str, salt: bytes) -> str:
    """Return *password* as RabbitMQ's definitions hold it: base64 of a 4-byte salt and the SHA-256 of both."""
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def main(arguments: Sequence[str], *, credentials: Path = CREDENTIALS, data: Path = DATA) -> int:
    """Run the command; return the exit code."""
    match list(arguments):
        case []:
            locked = [
                folder for folder in (*_folders(credentials), *_folders(data)) if not os.access(folder, os.W_OK)
            ]
            for folder in locked:
                sys.stderr.write(f"credentials: {folder} is not writable for user {os.getuid()}\n")
            if locked:
                return 1
            make(credentials, TEMPLATE)
            return 0
        case ["show"]:
            sys.stdout.write(show(credentials))
            return 0
        case _:
            sys.stderr.write("usage: credentials.py [show]\n")
            return 2


def _folders(parent: Path) -> list[Path]:
    return sorted(path for path in parent.iterdir() if path.is_dir())


def _user(name: str, password: str) -> dict[str, Any]:
    return {
        "name": name,
        "password_hash": password_hash(password, secrets.token_bytes(4)),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": ["administrator"] if name == OPERATOR else [],
    }


def _process_password(file: Path, name: str) -> str:
    if file.exists():
        return file.read_text().partition(f"//{name}:")[2].partition("@")[0]
    password = secrets.token_urlsafe(_BYTES)
    _write(file, f"TICKWIRE_BROKER_URL=amqp://{name}:{password}@{BROKER}/\n")
    return password


def _add_ticket_secret(file: Path) -> None:
    """What the gateways sign one-time tickets with: the same for all of them, since each must take the others'."""
    if f"{_TICKET_SECRET}=" not in file.read_text():
        _write(file, f"{file.read_text()}{_TICKET_SECRET}={secrets.token_urlsafe(_BYTES)}\n")


def _password(file: Path) -> str:
    if not file.exists():
        _write(file, secrets.token_urlsafe(_BYTES))
    return file.read_text()


def _write(file: Path, text: str) -> None:
    """Write all or nothing: a start that was cut off must not leave half a password behind."""
    draft = file.with_suffix(".draft")
    draft.write_text(text)
    draft.chmod(_READABLE)
    draft.replace(file)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
