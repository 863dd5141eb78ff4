"""A real RabbitMQ for the tests: found, or started and stopped by us; never a skip.

In this order: `TICKWIRE_TEST_AMQP_URL`, a Docker engine, a local `rabbitmq-server`, Debian's package where we may
install it.  `TICKWIRE_TEST_BROKER` = `docker` or `local` leaves only that way.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from services.errors import MissingRequirement

IMAGE: Final = "rabbitmq:4-management"
START_S: Final = 120.0
"""Longest start of a broker: 4 to 10 s were seen on two idle cores; this leaves room for busy ones."""
_DEBIAN_BIN: Final = Path("/usr/lib/rabbitmq/bin")
_ASK_FOR_ONE: Final = (
    "no RabbitMQ for the tests: set TICKWIRE_TEST_AMQP_URL, start a Docker engine that has or can pull "
    f"{IMAGE}, or install rabbitmq-server (3.10 or later)"
)


class Broker(Protocol):
    """A RabbitMQ that the tests may use and, where it is ours, stop, start and command."""

    url: str

    @property
    def pid(self) -> int | None:
        """The server's process, where it can be sent signals."""
        ...

    def start(self) -> None:
        """Start it and wait until it speaks AMQP; its address stays the same."""
        ...

    def stop(self, *, hard: bool = False) -> None:
        """Stop it in an orderly way, or kill it."""
        ...

    def freeze(self) -> None:
        """Stop it in its tracks until `thaw`; the kernel goes on acknowledging what is sent to it."""
        ...

    def thaw(self) -> None:
        """Let it go on."""
        ...

    def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl on it and return what it printed."""
        ...

    def remove(self) -> None:
        """Stop it for good and leave nothing behind."""
        ...


def find_broker(environment: Mapping[str, str] = os.environ) -> Broker:
    """Return a broker that runs; the caller removes it.

    Raises:
        MissingRequirement: no way led to one; the sentence says what to install.
    """
    if url := environment.get("TICKWIRE_TEST_AMQP_URL"):
        return GivenBroker(url)
    forced = environment.get("TICKWIRE_TEST_BROKER", "")
    if forced not in ("", "docker", "local"):
        raise MissingRequirement(f"TICKWIRE_TEST_BROKER is docker or local, not {forced!r}")
    broker: Broker
    if forced != "local" and _docker_can():
        broker = DockerBroker()
    elif forced != "docker" and (folder := local_folder()):
        broker = LocalBroker(folder)
    else:
        raise MissingRequirement(_ASK_FOR_ONE)
    try:
        broker.start()
    except BaseException:
        broker.remove()
        raise
    return broker


class GivenBroker:
    """Somebody else's broker: it can be used, not commanded."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.pid: int | None = None

    def start(self) -> None:
        """Refuse: it is not ours."""
        raise MissingRequirement("this test stops and starts its broker: unset TICKWIRE_TEST_AMQP_URL")

    def stop(self, *, hard: bool = False) -> None:
        """Refuse: it is not ours."""
        del hard
        self.start()

    def freeze(self) -> None:
        """Refuse: it is not ours."""
        self.start()

    def thaw(self) -> None:
        """Refuse: it is not ours."""
        self.start()

    def ctl(self, *arguments: str) -> str:
        """Refuse: it is not ours."""
        raise MissingRequirement(f"rabbitmqctl {arguments[0]} needs an own broker: unset TICKWIRE_TEST_AMQP_URL")

    def remove(self) -> None:
        """Leave it alone."""


class Site(NamedTuple):
    """Where a node lives: its ports, and what it shares with the nodes of its cluster."""

    port: int
    distribution: int
    epmd: int
    cookie: str

    @property
    def name(self) -> str:
        """The node's name."""
        return f"tickwire-{self.port}@localhost"


def sites(count: int) -> list[Site]:
    """Return free places for *count* nodes that share an epmd and a cookie."""
    epmd, *ports = free_ports(1 + 2 * count)
    cookie = secrets.token_hex(16)
    return [Site(port, distribution, epmd, cookie) for port, distribution in zip(*[iter(ports)] * 2, strict=True)]


class LocalBroker:
    """An own node of the machine's rabbitmq-server, with its own folder, ports, name and cookie.

    *site*: given where the node is one of a cluster; *settings* are further lines of its rabbitmq.conf.
    """

    def __init__(
        self, folder: Path, *, plugins: Sequence[str] = (), settings: str = "", site: Site | None = None
    ) -> None:
        self._bin = folder
        self._folder = Path(tempfile.mkdtemp(prefix="tickwire-rabbitmq-"))
        self.site = site or sites(1)[0]
        self._port, distribution, self._epmd, secret = self.site
        self._process: subprocess.Popen[bytes] | None = None
        (self._folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.default = 127.0.0.1:{self._port}\n"
            "disk_free_limit.absolute = 50MB\n"
            f"tcp_listen_options.sndbuf = 131072\n{settings}"
        )
        (self._folder / "enabled_plugins").write_text(f"[{','.join(plugins)}].\n")
        cookie = self._folder / ".erlang.cookie"
        cookie.write_text(secret)
        cookie.chmod(0o400)
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("RABBITMQ_")},
            "HOME": str(self._folder),
            "ERL_EPMD_PORT": str(self._epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_RELAXED_COMMAND_CHECK": "1",  # else epmd refuses to end right after a killed node
            "RABBITMQ_NODENAME": self.site.name,
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": str(self._folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "data"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_PID_FILE": str(self._folder / "pid"),
            # Busy waiting of the schedulers would take the cores from the process under test.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
        }
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}/"

    @property
    def pid(self) -> int | None:
        """The Erlang machine's process (the script that starts it replaces itself by it)."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the node and wait until it speaks AMQP."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start the node: the nodes of a cluster wait for each other, so all are launched first."""
        with (self._folder / "output").open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [self._bin / "rabbitmq-server"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C at the tests must not reach it before the tests' own end
            )

    def wait(self) -> None:
        """Return once the node speaks AMQP."""
        _wait_for_amqp(self._port, self._died)

    def stop(self, *, hard: bool = False) -> None:
        """Stop the node: SIGTERM is an orderly shutdown, SIGKILL is not."""
        if self._process is None:
            return
        os.killpg(self._process.pid, signal.SIGKILL if hard else signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(30)
        self._process = None

    def freeze(self) -> None:
        """Send SIGSTOP to the node."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Send SIGCONT to the node."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGCONT)

    def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl on the node."""
        return _run([self._bin / "rabbitmqctl", "-q", *arguments], env=self._environment)

    def remove(self) -> None:
        """Stop the node and its epmd, and delete its folder."""
        self.stop(hard=True)
        if epmd := shutil.which("epmd"):
            _succeeds([epmd, "-port", str(self._epmd), "-kill"], 10)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _died(self) -> str | None:
        if self._process is None or self._process.poll() is None:
            return None
        return f"rabbitmq-server ended: {(self._folder / 'output').read_text(errors='replace')[-2000:]}"


class DockerBroker:
    """A container of RabbitMQ 4 on a port of this machine."""

    def __init__(self) -> None:
        # The reaper needs a second image; this session stops its container itself.
        os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
        os.environ.setdefault("TESTCONTAINERS_CONNECTION_MODE", "docker_host")
        from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - reads the environment above

        (self._port,) = free_ports(1)
        self._container: Any = DockerContainer(IMAGE).with_kwargs(hostname="tickwire-tests")
        # A fixed port, since one that the engine picks changes at a restart; with_bind_ports knows no address.
        ports: dict[str, Any] = self._container.ports
        ports["5672/tcp"] = ("127.0.0.1", self._port)
        self._created = False
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}/"
        self.pid: int | None = None

    def start(self) -> None:
        """Create or restart the container and wait until it speaks AMQP."""
        if self._created:
            self._container.get_wrapped_container().start()
        else:
            self._created = True
            self._container.start()
        _wait_for_amqp(self._port, self._died)

    def stop(self, *, hard: bool = False) -> None:
        """Stop the container; its data stays."""
        container = self._container.get_wrapped_container()
        if hard:
            container.kill()
            container.wait(timeout=30)
        else:
            container.stop(timeout=30)

    def freeze(self) -> None:
        """Pause the container."""
        self._container.get_wrapped_container().pause()

    def thaw(self) -> None:
        """Let the container go on."""
        self._container.get_wrapped_container().unpause()

    def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl in the container."""
        identity = self._container.get_wrapped_container().id
        user = ["-u", "rabbitmq", "-e", "HOME=/var/lib/rabbitmq"]
        return _run(["docker", "exec", *user, identity, "rabbitmqctl", "-q", *arguments])

    def remove(self) -> None:
        """Remove the container and its volume."""
        if self._created:
            self._container.stop(force=True, delete_volume=True)

    def _died(self) -> str | None:
        container = self._container.get_wrapped_container()
        container.reload()
        if container.status != "exited":
            return None
        return f"{IMAGE} ended: {container.logs(tail=30).decode(errors='replace')}"


def free_ports(count: int) -> list[int]:
    """Return *count* different ports of the loopback interface that nobody listens on.

    Below the range that the kernel gives to outgoing connections: one of those could take the port while a
    broker is down for a moment.
    """
    found: list[int] = []
    while len(found) < count:
        port = 20_000 + secrets.randbelow(10_000)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        if port not in found:
            found.append(port)
    return found


class _Died(Protocol):
    def __call__(self) -> str | None: ...


def _wait_for_amqp(port: int, died: _Died) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if _speaks_amqp(port):
            return
        if reason := died():
            raise MissingRequirement(reason)
        time.sleep(0.1)
    raise MissingRequirement(f"the broker on port {port} did not speak AMQP within {START_S:.0f} s")


def _speaks_amqp(port: int) -> bool:
    # An open port proves nothing: Docker's proxy accepts before the broker listens.
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(1) == b"\x01"
    except OSError:
        return False


def _docker_can() -> bool:
    docker = shutil.which("docker")
    if docker is None or not _succeeds([docker, "info"], 10):
        return False
    return _succeeds([docker, "image", "inspect", IMAGE], 10) or _succeeds([docker, "pull", "-q", IMAGE], 300)


def server_folder() -> Path | None:
    """Return the folder of rabbitmq-server, None if there is none.

    Debian's own folder comes first: the wrappers on its PATH insist on root or the user rabbitmq.
    """
    if (_DEBIAN_BIN / "rabbitmq-server").exists():
        return _DEBIAN_BIN
    found = shutil.which("rabbitmq-server")
    return Path(found).resolve().parent if found else None


def local_folder() -> Path | None:
    """Return the folder of rabbitmq-server, installed first where it is missing and we may; else None."""
    return server_folder() or _install()


def _install() -> Path | None:
    apt = shutil.which("apt-get")
    sudo = shutil.which("sudo")
    if apt is None or (os.geteuid() != 0 and (sudo is None or not _succeeds([sudo, "-n", "true"], 10))):
        return None
    prefix = [] if os.geteuid() == 0 else [str(sudo), "-n"]
    # RUNLEVEL=1: the package must not start its own node on the default ports.
    quiet = ["env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", apt, "-qq", "-y"]
    _succeeds([*prefix, *quiet, "update"], 300)
    _succeeds([*prefix, *quiet, "install", "--no-install-recommends", "rabbitmq-server"], 600)
    return server_folder()


def _succeeds(command: Sequence[str], timeout: float) -> bool:
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=timeout)  # noqa: S603 - our own command
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _run(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(  # noqa: S603 - our own command
        command, env=env, capture_output=True, check=False, timeout=60, text=True
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}")
    return done.stdout
