"""How many bad tokens were tried, and what became of them: a line at the end of a run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

from gateway.admission.authority import Reason, TokenRefused
from gateway.admission.keyset import Keys
from gateway.admission.tokens import Policy, verify

TABLE: Final = Path(__file__).parents[1] / "build" / "tokens.md"


class Attempts:
    """Bad tokens of a session, by the name of the attack and the reason of the refusal."""

    def __init__(self) -> None:
        self.found: Counter[tuple[str, Reason]] = Counter()

    def refused(self, attack: str, text: str, keys: Keys, policy: Policy, now: float) -> Reason:
        """Try *text* and return why it is refused; it must be, and the error must not have a part of it."""
        try:
            verify(text, keys, policy, now)
        except TokenRefused as error:
            said = f"{error!r} {error} {error.__cause__!r} {error.__context__!r}"
            assert not any(part in said for part in text.split(".") if len(part) > len("malformed"))
            self.found[attack, error.reason] += 1
            return error.reason
        raise AssertionError(f"{attack}: somebody was let in")

    @property
    def table(self) -> str:
        """What was tried, as a table in Markdown."""
        lines = ["| attack | tried | refused as |", "|---|---|---|"]
        for attack in sorted({attack for attack, _ in self.found}):
            reasons = {reason.value: n for (name, reason), n in self.found.items() if name == attack}
            shown = ", ".join(f"{reason} {count:,}" for reason, count in sorted(reasons.items()))
            lines.append(f"| {attack} | {sum(reasons.values()):,} | {shown} |")
        return "\n".join([*lines, f"| all | {self.found.total():,} | let in: 0 |"])

    def write(self) -> None:
        """Write the table to build/tokens.md."""
        TABLE.parent.mkdir(exist_ok=True)
        TABLE.write_text(f"# Bad tokens, as tried\n\n{self.table}\n", encoding="utf-8")
