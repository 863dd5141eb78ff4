# ruff: noqa: INP001 - a script of the repository, not part of a package
"""Ask whether anybody knows of a vulnerability in what deploy/requirements.lock pins.

    audit.py [--lock FILE] [--osv-url URL]

Exit codes: 0 nobody knows of one, or nobody could be asked, which is said on standard error; 1 somebody knows of
one; 2 the lock file cannot be read.

pip-audit says 1 for all of these but the first, and 0 with "No known vulnerabilities found" where an index knows
none of the packages, as a mirror without PyPI's JSON interface does.  So its report is read, not its exit code:
what it did not look up was not audited.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LOCK: Final = Path(__file__).with_name("requirements.lock")
IGNORED: Final[Mapping[str, str]] = {}
"""By the advisory's name, why it does not reach us.  An entry goes with the version that has the repair."""
SERVICES: Final = ("pypi", "osv")
"""Who is asked, in turn, until one has looked up everything."""
ANSWER_S: Final = 15
"""Seconds that one of them has for one package."""
WHOLE_S: Final = 300.0
"""Seconds that one of them has for all."""

CLEAN: Final = 0
FOUND: Final = 1
UNREADABLE: Final = 2


@dataclass(frozen=True)
class Report:
    """What one service said.

    *found*: a line per known vulnerability.  *unasked*: packages that it did not look up.  *silence*: why it said
    nothing at all; empty where it spoke.
    """

    found: tuple[str, ...] = ()
    asked: int = 0
    unasked: tuple[str, ...] = ()
    silence: str = ""

    @property
    def whole(self) -> bool:
        """Whether everything was looked up."""
        return not self.silence and not self.unasked


def read(printed: str, complaints: str) -> Report:
    """Return what pip-audit's JSON *printed* says; without one, the last of its *complaints* is why."""
    try:
        dependencies = json.loads(printed)["dependencies"]
        unasked = tuple(each["name"] for each in dependencies if "skip_reason" in each)
        known = [each for each in dependencies if "skip_reason" not in each]
        found = tuple(_line(each, vulnerability) for each in known for vulnerability in each["vulns"])
    except (ValueError, KeyError, TypeError):
        lines = complaints.strip().splitlines()
        return Report(silence=lines[-1] if lines else "no answer")
    return Report(found, len(known), unasked)


def decide(reports: Mapping[str, Report]) -> tuple[int, list[str]]:
    """Return the exit code and what to say of *reports*, by service: one finding is enough, silence is said."""
    sentences = [line for report in reports.values() for line in report.found]
    if sentences:
        return FOUND, [f"audit: {line}" for line in dict.fromkeys(sentences)]
    whole = [
        f"audit: {name} knows of nothing in {report.asked} packages"
        for name, report in reports.items()
        if report.whole
    ]
    if whole:
        return CLEAN, whole[:1]
    said = [f"audit: {name} {_shortfall(report)}" for name, report in reports.items()]
    return CLEAN, ["audit: WARNING: the lock file was NOT audited, nobody could be asked about all of it", *said]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = argparse.ArgumentParser(description="Ask for known vulnerabilities in the lock file.")
    parser.add_argument("--lock", type=Path, default=LOCK, help="default: %(default)s")
    parser.add_argument(
        "--osv-url", help="ask only this address, which speaks as https://api.osv.dev/v1/query does"
    )
    given = parser.parse_args(arguments)
    if complaint := _unreadable(given.lock):
        sys.stderr.write(f"audit: {given.lock} cannot be read: {complaint}\n")
        return UNREADABLE
    reports: dict[str, Report] = {}
    for service in ("osv",) if given.osv_url else SERVICES:
        reports[service] = _asked(given.lock, service, *(("--osv-url", given.osv_url) if given.osv_url else ()))
        if reports[service].whole or reports[service].found:
            break
    code, sentences = decide(reports)
    sys.stderr.write("\n".join(sentences) + "\n")
    return code


def _line(dependency: Mapping[str, object], vulnerability: Mapping[str, object]) -> str:
    names = ", ".join([str(vulnerability["id"]), *_texts(vulnerability.get("aliases"))])
    repaired = ", ".join(_texts(vulnerability.get("fix_versions"))) or "no version"
    return f"{dependency['name']} {dependency['version']} has {names}; repaired in {repaired}"


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


def _shortfall(report: Report) -> str:
    if report.silence:
        return f"said nothing: {report.silence[:200]}"
    few = ", ".join(report.unasked[:5]) + (", …" if len(report.unasked) > 5 else "")  # noqa: PLR2004 - enough to see
    return f"knows of nothing in {report.asked} packages and did not look up {len(report.unasked)}: {few}"


def _unreadable(lock: Path) -> str:
    """Return why pip-audit cannot read *lock*, which it does here without asking anybody; empty: it can."""
    done = _run(lock, "--dry-run")
    return "" if done.returncode == 0 else " ".join(done.stderr.split()) or "no reason given"


def _asked(lock: Path, service: str, *more: str) -> Report:
    ignored = [part for name in IGNORED for part in ("--ignore-vuln", name)]
    try:
        done = _run(lock, "--vulnerability-service", service, "--format", "json", "--desc", "off", *ignored, *more)
    except subprocess.TimeoutExpired:
        return Report(silence=f"not ready after {WHOLE_S:g} s")
    return read(done.stdout, done.stderr)


def _run(lock: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--require-hashes", "--disable-pip")
    quiet = ("--progress-spinner", "off", "--timeout", str(ANSWER_S))
    return subprocess.run(  # noqa: S603 - our own command
        (*command, *quiet, *more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WHOLE_S,
        check=False,
    )


if __name__ == "__main__":
    sys.exit(main())
