"""The Prometheus that the other tests ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.monitoring.prometheus import BadQuery, Prometheus, Sample, configuration


async def test_prometheus(tmp_path: Path) -> None:
    """A Prometheus of the tests scrapes itself, answers, loads rules later, and refuses nonsense."""
    config = configuration({"itself": []})
    async with Prometheus(tmp_path, config) as prometheus:
        config["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{prometheus.port}"]
        rules = tmp_path / "rules.yml"
        rules.write_text('{"groups": [{"name": "g", "rules": [{"alert": "Up", "expr": "up == 1"}]}]}')
        await prometheus.reload({**config, "rule_files": [str(rules)]})
        await prometheus.scraped()
        assert await prometheus.query("1 + 1") == [Sample({}, 2.0)]
        assert [sample.value for sample in await prometheus.query("sum(up)")] == [1.0]
        assert await prometheus.query("nobody_has_this") == []
        assert {labels["job"] for labels in await prometheus.series("up")} == {"itself"}
        while not (alerts := await prometheus.alerts()):
            pass
        assert [alert["labels"]["alertname"] for alert in alerts] == ["Up"]
        with pytest.raises(BadQuery, match="parse error"):
            await prometheus.query("sum(")
        rules.write_text("groups: nonsense")
        with pytest.raises(BadQuery):
            await prometheus.reload({**config, "rule_files": [str(rules)]})
