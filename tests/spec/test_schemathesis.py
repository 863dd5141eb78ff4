"""Every operation of plain HTTP against its document, by schemathesis: hundreds of requests, right and wrong."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

from gateway.admission.apikeys import key_text, line
from tests.programs import Demo, answering

EXAMPLES: Final = 10
"""Most requests that are made up for each operation, beside those that cover each keyword of its schemas."""
SEED: Final = 1
"""The same requests in every run, so that a failure is one of a change."""
STREAM: Final = "/v1/sse"
"""It ends when its client leaves; tests/spec/test_conversation.py looks at it."""
FREELY: Final = {
    "HTTP_RATE": "100000",
    "HTTP_BURST": "1000000",
    "HANDSHAKE_RATE": "100000",
}
"""No answer is to be 429 for the number of requests: 400 and 404 would hide behind it."""
KEY: Final = key_text(bytes(32))

pytestmark = pytest.mark.timeout(300)


async def test_every_operation(tmp_path: Path) -> None:
    """No answer breaks the document: status, type, headers, body, and what is wrong is refused."""
    async with answering(**FREELY) as demo:
        report = await _run(demo, tmp_path)

    assert report["failures"] == []
    assert report["operations"]["tested"] == 6
    assert report["test_cases"]["generated"] > 150


async def test_every_operation_with_tokens(tmp_path: Path) -> None:
    """The same holds where a token is asked for; without one nothing but the documents is answered."""
    keys = tmp_path / "keys"
    keys.write_text(line("tester", KEY, {"symbols": ["*"]}) + "\n", encoding="utf-8")
    guarded = {
        "AUTH": "keys",
        "KEYS_FILE": str(keys),
        "TICKET_SECRET": "0123456789abcdef0123456789abcdef",
    }
    async with answering(**FREELY, **guarded) as demo:
        report = await _run(demo, tmp_path, "--header", f"Authorization: Bearer {KEY}")

    assert report["failures"] == []
    assert report["operations"]["tested"] == 7


async def _run(demo: Demo, folder: Path, *more: str) -> dict[str, Any]:
    document, report = folder / "openapi.json", folder / "report.json"
    async with aiohttp.ClientSession() as http, http.get(f"{demo.page}v1/openapi.json") as answer:
        assert answer.status == 200
        document.write_bytes(await answer.read())
    tool = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "schemathesis.cli",
            "run",
            str(document),
            "--url",
            demo.page,
            "--exclude-path",
            STREAM,
        ),
        *("--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES), "--seed", str(SEED)),
        *("--workers", "4", "--checks", "all", "--report", "json", "--report-json-path", str(report), *more),
        cwd=folder,
        stdout=PIPE,
        stderr=STDOUT,
    )
    said, _ = await tool.communicate()
    assert tool.returncode == 0, said.decode()[-6000:]
    found: dict[str, Any] = json.loads(report.read_bytes())
    return found
