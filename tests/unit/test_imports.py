"""Importing a module, alone and first, has no effect."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

# One interpreter for all: the audit hook hears what each first import of a module opens, starts or prints.
_PROBE = """
import contextlib, importlib, io, json, os, sys, threading

heard, module = [], ""
LOUD = ("socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.fork",
        "signal.pthread_kill", "os.mkdir", "os.remove", "os.rename")

def hook(event, arguments):
    if event in LOUD:
        heard.append(f"{module}: {event}")
    elif event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        if "__pycache__" not in str(arguments[0]):
            heard.append(f"{module}: writes {arguments[0]}")

sys.addaudithook(hook)
environment = dict(os.environ)
for module in json.loads(sys.stdin.read()):
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        importlib.import_module(module)
    if said.getvalue():
        heard.append(f"{module}: says {said.getvalue()!r}")
    if threading.active_count() > 1:
        heard.append(f"{module}: leaves a thread")
    if dict(os.environ) != environment:
        heard.append(f"{module}: changes the environment")
    import logging
    if logging.getLogger().handlers:
        heard.append(f"{module}: configures logging")
print(json.dumps(heard))
"""


def _modules() -> list[str]:
    roots = [(ROOT, name) for name in ("services", "gateway", "producer", "tickwire")]
    roots.append((ROOT / "clients/python/src", "tickwire_client"))
    paths = ((root, path) for root, name in roots for path in (root / name).rglob("*.py"))
    names = (path.relative_to(root).with_suffix("").as_posix().replace("/", ".") for root, path in paths)
    return sorted(name.removesuffix(".__init__") for name in names)


def test_modules_are_found() -> None:
    """The list of modules holds one of each package, so that the tests below look at something."""
    assert {"services.market.tick", "gateway.frames", "producer", "tickwire.cli", "tickwire_client.feed"} <= set(
        _modules()
    )


def test_no_side_effects() -> None:
    """No module opens a connection, writes, prints, starts a thread or configures logging when imported."""
    run = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-W", "error", "-c", _PROBE],
        input=json.dumps(_modules()),
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=180,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout.splitlines()[-1]) == []


# Each module first: a cycle of imports often works in one order only.  Ours are forgotten in between, the
# libraries stay, so that this takes milliseconds per module.
_ALONE = """
import importlib, json, sys

OURS = ("services", "gateway", "producer", "tickwire", "tickwire_client")
broken = []
for module in json.loads(sys.stdin.read()):
    for name in [n for n in sys.modules if n.partition(".")[0] in OURS]:
        del sys.modules[name]
    try:
        importlib.import_module(module)
    except Exception as error:
        broken.append(f"{module}: {error!r}")
print(json.dumps(broken))
"""


def test_each_module_imports_first() -> None:
    """Each module can be the first one that is imported."""
    run = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", _ALONE],
        input=json.dumps(_modules()),
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=180,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout.splitlines()[-1]) == []
