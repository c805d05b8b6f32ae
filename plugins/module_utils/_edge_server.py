# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An nginx that runs as an edge: what it is asked and told from the host, without the names that people use.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Clock, Run, last_lines
from ansible_collections.portside.stack.plugins.module_utils._edge_places import MOUNT, OWN
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, EngineError

# Fresh connections that all have to get the same answer: workers of before are still there for a moment.
_ANSWERS = 5
_DEADLINE = 20.0
_INTERVAL, _LONGEST = 0.1, 2.0
_TIMEOUT = 3.0
# Seconds: who restarts it wants it to serve.
_GRACE = 2
# Of a busy site all but a few are of requests.
_LOG_LINES = 5000
# The engine's own, for a health check that says nothing of it, and how long one that was told to end may take to.
_CHECK_SECONDS, _CHECK_GRACE = 30.0, 5
_GRAVE = re.compile(r"\[(?:emerg|alert|crit)\]")
_NOISE = re.compile(r"^\S+ \S+ (?=\[)|(?<=\] )[0-9]+#[0-9]+: ")


class HostNetwork:
    """The network of the host, on which containers have addresses."""

    def get(self, address: str, port: int, host: str, path: str) -> t.Tuple[int, str]:
        """Status and body, on a connection of its own. Raises OSError."""
        connection = http.client.HTTPConnection(address, port, timeout=_TIMEOUT)
        try:
            connection.request("GET", path, headers={"Host": host, "Connection": "close"})
            answer = connection.getresponse()
            return answer.status, answer.read(65536).decode("utf-8", "replace")
        except http.client.HTTPException as error:
            raise OSError("the connection is closed without an answer") from error
        finally:
            connection.close()

    def certificate(self, address: str, port: int, name: str) -> bytes:
        """The certificate, in DER, that is shown to who asks for a name. Raises OSError."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # What is shown is compared as it is: who trusts it is another question.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with socket.create_connection((address, port), timeout=_TIMEOUT) as raw:
            with context.wrap_socket(raw, server_hostname=name) as wrapped:
                return wrapped.getpeercert(binary_form=True) or b""


class EdgeServer:
    """The running containers of an edge, as the engine knows them."""

    def __init__(
        self, engine: EngineClient, run: Run, clock: Clock, network: HostNetwork, port: int, containers: t.Sequence[str]
    ) -> None:
        self._engine, self._run, self._clock, self._network, self._port = engine, run, clock, network, port
        self._containers = containers

    def refuses(self, name: str) -> str:
        """What nginx has against a file in its directory; empty when it takes it."""
        for container in self._containers:
            code, out, err = self._run(["docker", "exec", container, "nginx", "-t", "-c", "{0}/{1}".format(MOUNT, name)], None)
            if code:
                lines = last_lines(out + "\n" + err).splitlines()
                return words([line for line in lines if _GRAVE.search(line)] or lines) or "exit code {0}".format(code)
        return ""

    def halted(self) -> str:
        """Why nginx heeds nothing that it is told, though its workers go on; empty when it would."""
        for container in self._containers:
            pid = self._pid(container)
            if pid and _state(pid) in "Tt":
                return "its first process was stopped by a signal; docker kill --signal CONT {0} has it go on".format(container[:12])
        return ""

    def reload(self) -> t.FrozenSet[str]:
        """Have the configuration read again; answers the workers of before. Whether it could be, nginx only says in its log."""
        workers = frozenset(pid for container in self._containers for pid in self._workers(container))
        for container in self._containers:
            self._engine.post("/containers/{0}/kill".format(container), signal="HUP")
        return workers

    def restart(self) -> None:
        """Start the containers anew; whether they come up is seen by who waits for them."""
        for container in self._containers:
            try:
                self._engine.post("/containers/{0}/restart".format(container), t=_GRACE)
            except EngineError as error:
                if error.status == 404:
                    raise

    def is_up(self) -> bool:
        """Whether anything answers, of whatever configuration."""
        return bool(self._containers) and not any("does not answer" in self._answer(one, "") for one in self._addresses())

    def pids(self) -> t.List[int]:
        """The first process of each container."""
        return [pid for pid in (self._pid(container) for container in self._containers) if pid]

    def complaints(self) -> t.List[str]:
        """The grave lines of its log."""
        lines = [line for container in self._containers for line in self._engine.logs(container, _LOG_LINES)]
        return [line for line in lines if _GRAVE.search(line)]

    def explained(self, wrong: str, logged: t.Container[str] = ()) -> str:
        """What is wrong, with the grave lines since ``logged``: all others of its log are of requests."""
        said = words(line for line in self.complaints() if line not in logged)
        return "{0}; nginx says: {1}".format(wrong, said) if said else wrong

    def serves(self, digest: str) -> bool:
        """Whether a configuration answers, at this moment."""
        return all(self._answer(one, digest) == "" for one in self._addresses())

    def await_config(self, digest: str, replaced: t.FrozenSet[str] = frozenset()) -> str:
        """Wait until a configuration is what answers; tells what is wrong when it does not come to that.

        ``replaced`` are workers that must not be at work any more: the digest says nothing of certificates.
        """
        if not self._containers:
            return "it has no container that runs"
        until, pause = self._clock.monotonic() + _DEADLINE, _INTERVAL
        for container, address in zip(self._containers, self._addresses()):
            in_a_row = 0
            while in_a_row < _ANSWERS:
                stale = replaced and replaced & self._workers(container)
                wrong = self._answer(address, digest) or ("its workers are still those of before" if stale else "")
                in_a_row = 0 if wrong else in_a_row + 1
                if wrong and self._clock.monotonic() >= until:
                    return wrong
                if wrong:
                    self._clock.sleep(pause)
                    pause = min(_LONGEST, pause * 1.5)
        return ""

    def await_health(self) -> str:
        """Wait until the check of each container passes; tells what it says when it does not come to that.

        It is made here: what the engine knows is from before a reload, until its next probe.
        """
        until = self._clock.monotonic() + _DEADLINE
        for container in self._containers:
            while True:
                wrong = self._unwell(container)
                if not wrong:
                    break
                if self._clock.monotonic() >= until:
                    return wrong
                self._clock.sleep(_LONGEST)
        return ""

    def await_certificate(self, port: int, name: str, pem: bytes) -> str:
        """The same of a certificate that is asked for by one of its names."""
        wanted = ssl.PEM_cert_to_DER_cert(pem.decode("ascii").partition("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----")
        asked = "portside-check" + name[1:] if name.startswith("*.") else name
        until = self._clock.monotonic() + _DEADLINE
        for address in self._addresses():
            while True:
                try:
                    shown = self._network.certificate(address, port, asked)
                    if shown == wanted:
                        break
                    wrong = "another certificate is shown for {0}".format(asked)
                except OSError as error:
                    wrong = "no certificate is shown for {0}: {1}".format(asked, error.strerror or error)
                if self._clock.monotonic() >= until:
                    return wrong
                self._clock.sleep(_LONGEST / 4)
        return ""

    def answers(self, names: t.Iterable[str], path: str, text: str) -> bool:
        """Whether a file is had under a path by each of these names."""
        for address in self._addresses():
            for name in names:
                try:
                    status, body = self._network.get(address, self._port, name, path)
                except OSError:
                    return False
                if (status, body.strip()) != (200, text):
                    return False
        return bool(self._containers)

    def _workers(self, container: str) -> t.FrozenSet[str]:
        """The processes that take new connections, as far as the host's ps can be asked."""
        try:
            top = self._engine.get("/containers/{0}/top".format(container))
        except EngineError:
            return frozenset()
        at = top["Titles"].index("PID")
        return frozenset(row[at] for row in top["Processes"] or () if row[-1].strip() == "nginx: worker process")

    def _unwell(self, container: str) -> str:
        config = self._engine.get("/containers/{0}/json".format(container))["Config"]
        check = config.get("Healthcheck") or {}
        kind, *command = check.get("Test") or ["NONE"]
        if kind == "NONE":
            return ""
        if kind == "CMD-SHELL":
            command = [*(config.get("Shell") or ("/bin/sh", "-c")), *command]
        seconds = (check.get("Timeout") or 0) / 1e9 or _CHECK_SECONDS
        limit = ["timeout", "--kill-after={0}".format(_CHECK_GRACE), str(seconds)]
        code, out, err = self._run([*limit, "docker", "exec", container, *command], None)
        if not code:
            return ""
        said = "; ".join(last_lines(out + "\n" + err).splitlines()) or "it says nothing"
        return "its health check fails (exit code {0} within {1:g} s): {2}".format(code, seconds, said)

    def _pid(self, container: str) -> int:
        try:
            return self._engine.get("/containers/{0}/json".format(container))["State"].get("Pid") or 0
        except EngineError as error:
            if error.status != 404:
                raise
            return 0

    def _answer(self, address: str, digest: str) -> str:
        if not address:
            return "its container is gone"
        try:
            status, _body = self._network.get(address, self._port, "portside.invalid", OWN + digest)
        except OSError as error:
            return "http://{0}:{1} does not answer: {2}".format(address, self._port, error.strerror or error)
        return "" if status == 204 else "http://{0}:{1} answers from another configuration ({2})".format(address, self._port, status)

    def _addresses(self) -> t.List[str]:
        return [self._address(container) for container in self._containers]

    def _address(self, container: str) -> str:
        try:
            data = self._engine.get("/containers/{0}/json".format(container))
        except EngineError as error:
            if error.status != 404:
                raise
            return ""
        mode = data["HostConfig"].get("NetworkMode") or ""
        if mode == "host":
            return "127.0.0.1"
        if mode.startswith("container:"):
            return self._address(mode.partition(":")[2])
        networks = (data["NetworkSettings"].get("Networks") or {}).values()
        found = [one.get("IPAddress") or one.get("GlobalIPv6Address") or "" for one in networks]
        return next(filter(None, found), "127.0.0.1")


def _state(pid: int) -> str:
    """The letter of a process's state, as ps shows it."""
    try:
        with open("/proc/{0}/stat".format(pid), encoding="utf-8", errors="replace") as handle:
            return handle.read().rpartition(")")[2].split()[0]
    except OSError:
        return "?"


def words(lines: t.Iterable[str]) -> str:
    """Lines of nginx without when and by which process, each once."""
    return "; ".join(dict.fromkeys(_NOISE.sub("", line).strip() for line in lines))
