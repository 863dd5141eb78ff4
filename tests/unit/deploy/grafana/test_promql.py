"""The pieces of PromQL."""

from __future__ import annotations

from deploy.grafana import promql


def test_selector() -> None:
    """A selector has the instances chosen and each label, with PromQL's operators."""
    found = promql.chosen("m", a="x", b="~y|z", c="!x", d="!~y|z")
    assert found == 'm{instance=~"$instance",a="x",b=~"y|z",c!="x",d!~"y|z"}'
    assert promql.chosen("m", promql.EVERYWHERE) == "m"


def test_quantile() -> None:
    """A quantile is over the sum of all buckets, by bound and the labels named."""
    assert promql.quantile(0.99, "m_seconds", "stage", where="") == (
        "histogram_quantile(0.99, sum by (le, stage) (rate(m_seconds_bucket[$__rate_interval])))"
    )


def test_events() -> None:
    """Events that did not happen are one line at 0 with all labels `none`."""
    assert promql.events("m_total", "code", where="") == (
        "(sum by (code) (rate(m_total[$__rate_interval])) > 0) "
        'or on () label_replace(vector(0), "code", "none", "", "")'
    )


def test_share() -> None:
    """A share of nothing is 0, no division by 0."""
    assert promql.share("a", "b") == "a / clamp_min(b, 1e-9)"
