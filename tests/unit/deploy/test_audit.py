"""The question whether anybody knows of a vulnerability in the image's lock."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

import pytest

from deploy import audit
from deploy.audit import CLEAN, FOUND, UNREADABLE, Report, decide, main, read

VICTIM: Final = "aiohttp"
ADVISORY: Final = {
    "id": "PYSEC-2026-1",
    "summary": "made up",
    "aliases": ["CVE-2026-1"],
    "affected": [
        {
            "package": {"name": VICTIM, "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.0"}]}],
        }
    ],
}


class Index:
    """An index of vulnerabilities on loopback, with the interface of OSV; *status* other than 200 refuses."""

    def __init__(self) -> None:
        self.known: Mapping[str, list[dict[str, Any]]] = {}
        self.status = 200
        self.asked: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self) -> str:
        """Where questions go."""
        return f"http://127.0.0.1:{self._server.server_port}/v1/query"

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                name = question["package"]["name"]
                index.asked.append(name)
                found = index.known.get(name)
                body = json.dumps({"vulns": found} if found else {}).encode()
                self.send_response(index.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Standard error is the audit's."""

        return Handler


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """Return an index that knows of nothing."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    found = Index()
    yield found
    found.close()


def test_nothing_known(index: Index, capsys: pytest.CaptureFixture[str]) -> None:
    """An index that knows of nothing is asked about every pin; the audit passes and says how many these were."""
    code = main(["--osv-url", index.url])

    pins = audit.LOCK.read_text().count("==")
    assert (code, len(set(index.asked))) == (CLEAN, pins)
    assert capsys.readouterr().err == f"audit: osv knows of nothing in {pins} packages\n"


def test_something_known(index: Index, capsys: pytest.CaptureFixture[str]) -> None:
    """A known vulnerability fails the audit, with the package, the advisory's names and the version without it."""
    index.known = {VICTIM: [ADVISORY]}

    assert main(["--osv-url", index.url]) == FOUND
    said = capsys.readouterr().err
    assert said.startswith(f"audit: {VICTIM} ")
    assert said.endswith("PYSEC-2026-1, CVE-2026-1; repaired in 99.0\n")


def test_ignored(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """An advisory that is on the list of those that do not reach us does not fail the audit."""
    index.known = {VICTIM: [ADVISORY]}
    monkeypatch.setattr(audit, "IGNORED", {"CVE-2026-1": "we do not call it"})

    assert main(["--osv-url", index.url]) == CLEAN


def test_refusing_index(index: Index, capsys: pytest.CaptureFixture[str]) -> None:
    """An index that answers with an error lets the audit pass; standard error says that nothing was audited."""
    index.status = 503

    assert main(["--osv-url", index.url]) == CLEAN
    assert "WARNING: the lock file was NOT audited" in capsys.readouterr().err


def test_unreachable_index(index: Index, capsys: pytest.CaptureFixture[str]) -> None:
    """An index that nobody can connect to lets the audit pass, and standard error says so and why."""
    url = index.url
    index.close()

    assert main(["--osv-url", url]) == CLEAN
    said = capsys.readouterr().err
    assert "WARNING: the lock file was NOT audited" in said
    assert "osv said nothing: " in said
    assert "ConnectionError" in said


@pytest.mark.parametrize("text", ["aiohttp==3.14.5\n", "no requirement\n"])
def test_bad_lock(text: str, tmp_path: Path, index: Index, capsys: pytest.CaptureFixture[str]) -> None:
    """A lock without hashes, or that is none, fails before anybody is asked."""
    (tmp_path / "lock").write_text(text)

    assert main(["--lock", str(tmp_path / "lock"), "--osv-url", index.url]) == UNREADABLE
    assert index.asked == []
    assert "cannot be read" in capsys.readouterr().err


def test_mirror_without_answers() -> None:
    """A package that an index did not look up was not audited, whatever pip-audit's last line says."""
    printed = json.dumps(
        {"dependencies": [{"name": "aiohttp", "skip_reason": "Dependency not found"}], "fixes": []}
    )

    report = read(printed, "No known vulnerabilities found")
    code, said = decide({"pypi": report})

    assert report == Report(unasked=("aiohttp",))
    assert code == CLEAN
    assert "NOT audited" in said[0]
    assert said[1].endswith("did not look up 1: aiohttp")


def test_one_finding_is_enough() -> None:
    """What one service found counts, also where another said nothing."""
    code, said = decide({"pypi": Report(silence="timed out"), "osv": Report(found=("x 1 has y",), asked=1)})

    assert (code, said) == (FOUND, ["audit: x 1 has y"])


def test_reasons() -> None:
    """Whoever ignores an advisory says why."""
    assert all(len(reason.split()) > 2 for reason in audit.IGNORED.values())
