"""Pieces of PromQL that every dashboard uses.

`HERE` keeps a query to the instances that the dashboard's variable names, `NODES` to RabbitMQ's nodes.
"""

from __future__ import annotations

from typing import Final

HERE: Final = 'instance=~"$instance"'
"""Tickwire's processes that were chosen."""
NODES: Final = 'instance=~"$node"'
"""RabbitMQ's nodes that were chosen."""
EVERYWHERE: Final = ""
PER_SECOND: Final = "$__rate_interval"
"""Grafana's window for `rate`: four scrapes at least, whatever the zoom."""
SHOWN: Final = "$__range"
"""All the time that the dashboard shows."""
_OPERATORS: Final = {"": "=", "~": "=~", "!": "!=", "!~": "!~"}


def chosen(name: str, where: str = HERE, **labels: str) -> str:
    """Return the selector of *name*; a label's value may begin with `~`, `!` or `!~`, as PromQL's operators do."""
    matchers = [where] if where else []
    for label, value in labels.items():
        operator = next((how for how in ("!~", "!", "~") if value.startswith(how)), "")
        matchers.append(f'{label}{_OPERATORS[operator]}"{value.removeprefix(operator)}"')
    return f"{name}{{{','.join(matchers)}}}" if matchers else name


def total(expression: str, *by: str) -> str:
    """Return the sum over everything but the labels *by*."""
    return _over("sum", expression, by)


def most(expression: str, *by: str) -> str:
    """Return the largest, of each value of the labels *by*."""
    return _over("max", expression, by)


def rate(name: str, *by: str, where: str = HERE, window: str = PER_SECOND, **labels: str) -> str:
    """Return a counter's increase per second, summed over everything but the labels *by*."""
    return total(f"rate({chosen(name, where, **labels)}[{window}])", *by)


def events(name: str, *by: str, where: str = HERE, **labels: str) -> str:
    """Return the rates that are not 0, of a counter with many labels; where all are 0, one line named `none`."""
    return or_none(f"{rate(name, *by, where=where, **labels)} > 0", *by)


def happened(name: str, *by: str, where: str = HERE, **labels: str) -> str:
    """Return how often something happened in the time shown; what did not is 0."""
    return total(f"increase({chosen(name, where, **labels)}[{SHOWN}])", *by)


def or_none(expression: str, *by: str) -> str:
    """Return *expression*, and where it is empty 0 with each label of *by* at `none`."""
    nothing = "vector(0)"
    for label in by:
        nothing = f'label_replace({nothing}, "{label}", "none", "", "")'
    return f"({expression}) or on () {nothing}"


def quantile(share: float, name: str, *by: str, where: str = HERE, window: str = PER_SECOND, **labels: str) -> str:
    """Return a quantile of the histogram *name*, which is named without `_bucket`."""
    buckets = rate(f"{name}_bucket", "le", *by, where=where, window=window, **labels)
    return f"histogram_quantile({share:g}, {buckets})"


def rare(share: float, name: str, *by: str, where: str = HERE, window: str = PER_SECOND, **labels: str) -> str:
    """Return a quantile of what happens now and then; 0 while nothing does, since no quantile is a number then."""
    return or_none(f"{quantile(share, name, *by, where=where, window=window, **labels)} >= 0", *by)


def mean(name: str, *by: str, where: str = HERE, **labels: str) -> str:
    """Return the mean of what the histogram *name* observed."""
    above = rate(f"{name}_sum", *by, where=where, **labels)
    return f"{above} / {rate(f'{name}_count', *by, where=where, **labels)}"


def share(part: str, whole: str) -> str:
    """Return *part* of *whole*, and 0 where there is no whole."""
    return f"{part} / clamp_min({whole}, 1e-9)"


def used(expression: str) -> str:
    """Return those of *expression*, by role, whose connection to RabbitMQ this kind of process has at all."""
    tried = f"{total('tickwire_broker_reconnects_total', 'instance', 'role')} > 0"
    return f"{expression} and on (instance, role) (tickwire_broker_bytes_received_total > 0 or {tried})"


def _over(how: str, expression: str, by: tuple[str, ...]) -> str:
    return f"{how} by ({', '.join(by)}) ({expression})" if by else f"{how}({expression})"
