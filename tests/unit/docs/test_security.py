"""docs/security.md against the code: its limits, its metrics, what it links to and what it names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from gateway.admission.apikeys import CLAIMS
from gateway.admission.refusal import TABLE
from gateway.settings import GatewaySettings
from services.runtime.settings import ProcessSettings, variable
from tickwire.limits import LIMITS

ROOT: Final = Path(__file__).parents[3]
PAGE: Final = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
UNPROVED: Final = "<!-- verify -->"

NO_LIMIT: Final = {
    *ProcessSettings.model_fields,
    *("host", "port", "ops_port", "tls_cert", "tls_key", "workers", "worker"),
    *("auth", "anybody", "keys_file", "ticket_secret", "origins", "trusted_proxies"),
    *("jwt_keys", "jwt_issuer", "jwt_audience", "jwt_algorithms", "jwt_leeway_s"),
    *("flush_ms", "unready_s", "idle_grace_s", "trace", "queues"),
}
"""Settings of a gateway that bound nothing a stranger does."""


def test_every_limit_is_listed() -> None:
    """Each setting of a gateway is in the table of limits, or is said to be none."""
    listed = {name for limit in LIMITS for name in limit.of if "." not in name}

    assert listed & NO_LIMIT == set()
    assert listed | NO_LIMIT == GatewaySettings.model_fields.keys() | ProcessSettings.model_fields.keys()


def test_settings_exist() -> None:
    """Every variable that the page names is a setting, or the command's or Compose's own."""
    known = {variable(name) for name in GatewaySettings.model_fields} | {"TICKWIRE_EDGE_SUBNET", "TICKWIRE_BIND"}

    assert set(re.findall(r"TICKWIRE_[A-Z_]+", PAGE)) - known == set()


def test_files_exist() -> None:
    """Every file that the page names is there, but on lines that are still to be proved."""
    proved = "\n".join(line for line in PAGE.splitlines() if UNPROVED not in line)
    named = set(re.findall(r"`((?:tests|clients|deploy)/[\w/.-]+\.\w+)`", proved))

    assert named
    assert {name for name in named if not (ROOT / name).is_file()} == set()


def test_metrics() -> None:
    """Every metric that the page names is one of docs/metrics.md, with that value of its label."""
    known = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tickwire_\w+)(?:\{(\w+)=\"(\w+)\"\})?`", PAGE)

    assert named
    for metric, label, value in named:
        row = re.search(rf"^\| `{metric}` \| \w+ \| (.*?) \|", known, re.MULTILINE)
        assert row is not None, metric
        values = re.search(rf"`{label}`: ([^;|]+)", row[1])
        assert not label or (values and value in values[1].split(", ")), f"{metric} {label} {value}"


def test_refusals() -> None:
    """The table of refusals is that of `gateway.admission.refusal`, in its order."""
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (\d+) \| (\w+)", PAGE, re.MULTILINE)
    wanted = [
        (each.handshake.value, str(each.status), str(each.close.code), str(each.retry_after_s or "none"))
        for each in TABLE
    ]

    assert rows == wanted


def test_claims() -> None:
    """The claims that the page lists are those that are read."""
    section = PAGE.partition("### Claims")[2].partition("###")[0]

    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == {*CLAIMS, "sub", "jti"}


def test_links() -> None:
    """Every page and heading that the page links to is there."""
    for path, anchor in re.findall(r"\]\(([\w./]*)#?([\w-]*)\)", PAGE):
        text = (ROOT / "docs" / path).read_text(encoding="utf-8") if path else PAGE
        headings = {
            re.sub(r"[`:,]", "", heading).lower().replace(" ", "-")
            for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        }
        assert not anchor or anchor in headings, f"{path}#{anchor}"


def test_reporting_is_linked() -> None:
    """How to report a vulnerability is found from the front page and from here."""
    assert "](SECURITY.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "](../SECURITY.md)" in PAGE
    assert (ROOT / "SECURITY.md").is_file()
