"""Node.js for tests: what npm installs is installed once, and anew when the client or a lock changes."""

from __future__ import annotations

import asyncio
import hashlib
import os
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
CLIENT: Final = ROOT / "clients" / "javascript"
EXAMPLES: Final = ROOT / "examples"
COMMAND_S: Final = 240.0
"""Longest `npm ci` or build: 10 s were seen on two idle cores."""
_STAMP: Final = "node_modules/.tickwire"


async def environment(**variables: str) -> dict[str, str]:
    """Return our variables and *variables*, with a PATH that begins with a Node that is new enough."""
    path = await run(ROOT / "deploy" / "node.sh")
    # Where CI is set, Vite colours even what goes into a pipe, and "Local:" is no longer one word.
    return {**os.environ, "PATH": path.splitlines()[-1], "NO_COLOR": "1", **variables}


async def run(*command: str | Path, folder: Path = ROOT, environment: Mapping[str, str] | None = None) -> str:
    """Return what *command* prints, once it has ended.

    Raises:
        AssertionError: it ended with another code than 0, or not within 240 s.
    """
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=environment, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT
    )
    try:
        async with asyncio.timeout(COMMAND_S):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise AssertionError(f"{command} had not ended after {COMMAND_S} s") from None
    text = output.decode(errors="replace")
    assert process.returncode == 0, f"{command} ended with {process.returncode}: {text}"
    return text


async def installed(name: str, *, build: bool = False) -> Path:
    """Return the folder of the example *name*, ready to run, with the client as it is now; *build* it, too."""
    folder = EXAMPLES / name
    variables = await environment()
    await _install(CLIENT, _digest(CLIENT), variables, build=True)
    await _install(folder, _digest(CLIENT, folder), variables, build=build)
    return folder


async def _install(folder: Path, digest: str, variables: Mapping[str, str], *, build: bool) -> None:
    stamp = folder / _STAMP
    if stamp.exists() and stamp.read_text() == digest:
        return
    await run("npm", "ci", "--no-fund", "--no-audit", folder=folder, environment=variables)
    if build:
        await run("npm", "run", "build", folder=folder, environment=variables)
    stamp.write_text(digest)


def _digest(*folders: Path) -> str:
    """Return a digest of all files of *folders* that are not made from others, tests apart."""
    found = hashlib.sha256()
    for folder in folders:
        made = {folder / name for name in ("node_modules", "dist", "tests")}
        for top in sorted(set(folder.iterdir()) - made):
            for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
                if path.is_file():
                    found.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return found.hexdigest()
