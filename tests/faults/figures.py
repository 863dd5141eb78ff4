"""What the fault tests measured, against what they allow: the table at the end of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

TABLE: Final = Path(__file__).parents[2] / "build" / "faults.md"


class Figure(NamedTuple):
    """One measurement.  *most*: what is allowed, None where it is only told."""

    fault: str
    what: str
    value: float
    most: float | None
    unit: str

    @property
    def kept(self) -> bool:
        """Whether it is within its limit."""
        return self.most is None or self.value <= self.most

    @property
    def cells(self) -> tuple[str, ...]:
        """What the table shows."""
        most = "" if self.most is None else f"{self.most:g} {self.unit}"
        verdict = "" if self.most is None else "kept" if self.kept else "BROKEN"
        return self.fault, self.what, f"{self.value:.4g} {self.unit}".rstrip(), most.rstrip(), verdict


@dataclass(slots=True)
class Figures:
    """The figures of a session."""

    found: list[Figure] = field(default_factory=list)

    def told(self, fault: str, what: str, value: float, unit: str = "") -> None:
        """Note a figure without a limit."""
        self.found.append(Figure(fault, what, value, None, unit))

    def within(self, fault: str, what: str, value: float, most: float, unit: str = "s") -> None:
        """Note a figure; fail where it is above *most*."""
        self.found.append(figure := Figure(fault, what, value, most, unit))
        assert figure.kept, f"{fault}: {what}: {value:.2f} {unit}, allowed are {most:g}"

    @property
    def table(self) -> str:
        """All of them as a table in Markdown."""
        rows = [("fault", "figure", "measured", "limit", ""), *(figure.cells for figure in self.found)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |" for row in rows]
        rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
        return "\n".join([lines[0], rule, *lines[1:]])

    def write(self) -> None:
        """Write the table to build/faults.md."""
        TABLE.parent.mkdir(exist_ok=True)
        TABLE.write_text(f"# Faults, as measured\n\n{self.table}\n", encoding="utf-8")
