# ruff: noqa: INP001 - a script beside what it writes, not part of a package
"""Wrap the rules of deploy/prometheus into PrometheusRule objects: components/monitoring/rules.yaml.

    python3 deploy/kubernetes/rules.py

Kustomize can put a file into a ConfigMap, but not into a field of another object.  The text is only indented, so
comments stay; a test compares.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import Final

RULES: Final = Path(__file__).parents[1] / "prometheus"
WRITTEN: Final = Path(__file__).with_name("components") / "monitoring" / "rules.yaml"
_HEAD: Final = (
    "# Written by deploy/kubernetes/rules.py from deploy/prometheus.  Change it there, then run it again.\n"
)
_OBJECT: Final = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: tickwire-{name}
spec:
{groups}"""


def rule_files(folder: Path) -> list[Path]:
    """Return the files below *folder* that hold groups of rules, as tests and scrape configurations do not."""
    return sorted(path for path in folder.rglob("*.yml") if "\ngroups:" in f"\n{path.read_text()}")


def wrapped(folder: Path) -> str:
    """Return one PrometheusRule for each file of rules in *folder*."""
    objects = [
        _OBJECT.format(name=path.stem, groups=textwrap.indent(path.read_text(), "  "))
        for path in rule_files(folder)
    ]
    return _HEAD + "---\n".join(objects)


if __name__ == "__main__":
    WRITTEN.write_text(wrapped(RULES))
    sys.stdout.write(f"{WRITTEN}: {len(rule_files(RULES))} file(s) of rules\n")
