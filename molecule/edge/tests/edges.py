"""The stacks of this scenario, as their operators and their users see them. A pytest plugin: fixtures for whoever asks them."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import re
import socket
import subprocess
import threading
import time
import typing as t

import pytest
import testinfra
from deploys import HOST, INVENTORY, bed
from playbook import PROJECT, Playbook, Run
from web import PATIENCE, Answer, Events, Web, WebSocket

SSH = PROJECT / ".bed/ssh_config"
ROOT = "/opt/stacks"
# How long nobody says anything on the quiet streams, in seconds: more than the 60 after which nginx would cut them by itself.
QUIET = int(os.environ.get("EDGE_QUIET") or 65)
# Where the stack of system 3 is published when it has TLS.
PLACES = {"services": {"edge": {"ports": [{"target": 80, "published": 8081}, {"target": 443, "published": 8444}]}}}


def problems(output: str) -> list[str]:
    """What a run that failed says is wrong, each on its own."""
    told = re.findall(r"^fatal: .* => (\{.*\})$", output, re.M)
    return json.loads(told[0])["msg"].splitlines()


def eventually(what: str, condition: t.Callable[[], t.Any], seconds: float = PATIENCE) -> t.Any:
    """What the condition says as soon as it says something."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.1)
    return found


@contextlib.contextmanager
def asking(*asks):
    """Requests all the time; how each of them was answered, so far."""
    seen = [collections.Counter() for _ in asks]
    over = threading.Event()

    def go_on(ask, counter) -> None:
        while not over.wait(0.02):
            try:
                counter[ask().status] += 1
            except OSError as error:
                counter[str(error)] += 1

    threads = [threading.Thread(target=go_on, args=pair) for pair in zip(asks, seen)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join()


class Site:
    """The host."""

    def __init__(self) -> None:
        self.ports = {int(inner): outer for inner, outer in json.loads(bed("up", HOST, "--json"))["published"].items()}
        self.server = testinfra.get_host(f"ssh://{HOST}", ssh_config=str(SSH), sudo=True)
        self._forwarded: dict[str, tuple[int, subprocess.Popen]] = {}

    # -- deploying -------------------------------------------------------------------------------------------------

    def start(self, playbook: str, *arguments: str, **extra) -> Playbook:
        """Begins a run."""
        return Playbook(f"playbooks/{playbook}.yml", INVENTORY, *arguments, **extra)

    def run(self, playbook: str, *arguments: str, **extra) -> Run:
        """A whole run."""
        return self.start(playbook, *arguments, **extra).end()

    def deploy(self, *stacks: str, **extra) -> Run:
        """A deploy of some stacks, or all, however it ends."""
        return self.run("deploy", **({"edge_only": stacks} if stacks else {}), **extra)

    def deployed(self, *stacks: str, **extra) -> Run:
        """A deploy that has to go well."""
        done = self.deploy(*stacks, **extra)
        assert done.code == 0, done.output
        return done

    # -- the host --------------------------------------------------------------------------------------------------

    def sh(self, command: str) -> str:
        """What a shell command of root says on the host; it has to succeed."""
        return self.server.check_output(command)

    def containers(self) -> dict[str, dict]:
        """STACK/SERVICE -> what the engine tells of its container."""
        inspected = json.loads(self.sh("docker inspect $(docker ps --all --quiet --filter label=com.docker.compose.project)"))
        labels = ((one["Config"]["Labels"], one) for one in inspected)
        return {f"{own['com.docker.compose.project']}/{own['com.docker.compose.service']}": one for own, one in labels}

    def started(self, *stacks: str) -> dict[str, tuple[str, str]]:
        """STACK/SERVICE -> container and start, which differ when anything was done to it."""
        found = {name: one for name, one in self.containers().items() if not stacks or name.split("/")[0] in stacks}
        return {name: (one["Id"], one["State"]["StartedAt"]) for name, one in found.items()}

    def address(self, name: str) -> str:
        """The address of a container, on the network where stacks meet if it is there."""
        networks = self.containers()[name]["NetworkSettings"]["Networks"]
        return networks.get("bndventures-network", next(iter(networks.values())))["IPAddress"]

    def current(self, stack: str) -> str:
        """The release that the link names."""
        return self.sh(f"basename $(readlink {ROOT}/{stack}/current)")

    def kept(self) -> str:
        """Everything that is kept on the host, with times, to see that nothing was touched. A lock comes and goes."""
        return self.sh(f"find {ROOT} /etc/letsencrypt -not -name lock -not -path {ROOT} -type f -printf '%p %m %u %s %T@ %l\\n' | sort")

    @property
    def outside(self) -> str:
        """The address that the host sees clients from outside come from."""
        return self.sh("ip -4 route show default").split()[2]

    # -- users -----------------------------------------------------------------------------------------------------

    @property
    def front(self) -> Web:
        """nginx with certificates of pebble's, in which users believe."""
        root = self.sh("curl -fsS --cacert /etc/pebble/certificate.pem https://127.0.0.1:15000/roots/0")
        return Web({"http": self.ports[80], "https": self.ports[443]}, root)

    def appstack(self, authority: str = "") -> Web:
        """nginx without, and later with one of its own."""
        return Web({"http": self.ports[8081], "https": self.ports[8444]}, authority)

    def tunnel(self, name: str = "tunnel/edge") -> Web:
        """The public side of the tunnel, which the stand-in has on a port that nobody publishes."""
        address = self.address(name)
        if address not in self._forwarded or self._forwarded[address][1].poll() is not None:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            command = ["ssh", "-F", str(SSH), "-N", "-o", "ExitOnForwardFailure=yes", "-L", f"127.0.0.1:{port}:{address}:8080", HOST]
            self._forwarded[address] = port, subprocess.Popen(command, stdin=subprocess.DEVNULL)
            eventually("the forwarded port", lambda: _open(port))
        return Web({"http": self._forwarded[address][0]})

    def close(self) -> None:
        """Ends what was begun on this machine."""
        for _port, process in self._forwarded.values():
            process.terminate()
            process.wait()


def _open(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


class Quiet(t.NamedTuple):
    """Streams on which nobody says anything, and since when."""

    since: float
    events: Events
    websocket: WebSocket


class Edge(t.NamedTuple):
    """One of the two programs, in front of the same services by the same list."""

    name: str
    web: Web
    base: str

    def ask(self, target: str, method: str = "GET", **more) -> Answer:
        return self.web.ask(self.base + target, method, **more)


@pytest.fixture(scope="session")
def site():
    """The host, with the stacks as the inventory declares them."""
    found = Site()
    yield found
    found.close()


@pytest.fixture(scope="session")
def second(site) -> Run:
    """The second run: what the first one made is declared still."""
    return site.deployed()


@pytest.fixture(scope="session")
def front(site, second) -> Web:
    """nginx, with certificates."""
    return site.front


@pytest.fixture(scope="session")
def hidden(site, second) -> Web:
    """nginx behind a tunnel."""
    return site.tunnel("website/tunnel")


@pytest.fixture(params=["nginx", "cloudflared"])
def edge(request, site, front) -> Edge:
    """System 5, behind either."""
    web, scheme = (front, "https") if request.param == "nginx" else (site.tunnel(), "http")
    return Edge(request.param, web, f"{scheme}://self.test")


@pytest.fixture(scope="session", autouse=True)
def quiet(front):
    """Streams that are opened first and heard of last, whatever is done to the edge between."""
    url = "https://self.test{0}?channel=quiet"
    found = Quiet(time.monotonic(), front.events(url.format("/api/v1/mentor/stream/events")), front.websocket(url.format("/ws")))
    assert json.loads(found.events.next())["service"] == "asgi"
    assert json.loads(found.websocket.next())["service"] == "realtime"
    yield found
    found.events.close()
    found.websocket.close()


@pytest.fixture(scope="session")
def tunnelled(hidden):
    """Another one, through a tunnel and nginx."""
    stream = hidden.events("http://hidden.test/events?channel=quiet")
    assert json.loads(stream.next())["service"] == "example-web"
    yield stream
    stream.close()
