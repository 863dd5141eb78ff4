"""`tickwire revoke`: call tokens back before their time, on every gateway."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from services.broker.rabbitmq import RabbitRevoker
from services.broker.revocationlog import check_name
from services.broker.revocations import Revocation
from services.errors import BrokerUnavailable
from services.runtime import lifecycle
from services.runtime.clock import Clock
from services.runtime.settings import ProcessSettings
from services.telemetry import logs
from tickwire.processes import broker_url


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what names the tokens."""
    parser.add_argument(
        "--subject", action="append", default=[], metavar="S", help="every token of this `sub` issued until now"
    )
    parser.add_argument(
        "--token-id", action="append", default=[], metavar="S", help="the token with this `jti`, whatever its age"
    )


def named(arguments: argparse.Namespace, clock: Clock) -> list[Revocation]:
    """Return what *arguments* call back, as of now.

    Raises:
        BadInput: a name that no token has.
    """
    at = clock.wall_us() / 1e6
    subjects = dict.fromkeys(check_name(text, "--subject") for text in arguments.subject)
    token_ids = dict.fromkeys(check_name(text, "--token-id") for text in arguments.token_id)
    return [
        *(Revocation(at, subject=subject) for subject in subjects),
        *(Revocation(at, token_id=token_id) for token_id in token_ids),
    ]


def revoke(settings: ProcessSettings, revocations: Sequence[Revocation], clock: Clock) -> int:
    """Call *revocations* back, say so, and return the exit code.

    Raises:
        BadSettings: the broker's address is of no use for this.
    """
    revoker = RabbitRevoker(broker_url(settings), name="tickwire", clock=clock)
    logs.configure("error", settings.log_style)
    failures: list[str] = []

    async def main(_: object) -> None:
        try:
            await revoker.revoke(revocations)
        except BrokerUnavailable as error:
            failures.append(f"nothing is revoked for certain: {error}")

    code = lifecycle.run(main)
    if failures or code != lifecycle.OK:
        sys.stderr.writelines(f"tickwire: {failure}\n" for failure in failures)
        return code or lifecycle.FAILED
    sys.stdout.writelines(f"revoked: {sentence(revocation)}\n" for revocation in revocations)
    return lifecycle.OK


def sentence(revocation: Revocation) -> str:
    """Return what *revocation* does, for a person."""
    if revocation.subject is None:
        return f"the token {revocation.token_id}"
    until = datetime.fromtimestamp(revocation.at, UTC).isoformat(" ", "seconds")
    return f"every token of {revocation.subject} issued until {until}"
