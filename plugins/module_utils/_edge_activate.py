# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge in an activation: its files, its certificates, and that what was written is what serves.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

An edge whose container is kept is reloaded after all services are up and before any is removed. It is asked before
whether it takes the configuration, and afterwards whether it serves it: a port that is busy passes the first and the
reload. What fails puts the old files back. One that is created or started finds its files there.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Clock, Run
from ansible_collections.portside.stack.plugins.module_utils._compose_model import Container
from ansible_collections.portside.stack.plugins.module_utils._compose_plan import UP
from ansible_collections.portside.stack.plugins.module_utils._compose_report import Interrupted
from ansible_collections.portside.stack.plugins.module_utils._compose_wait import Failure
from ansible_collections.portside.stack.plugins.module_utils._edge_acme import Certbot
from ansible_collections.portside.stack.plugins.module_utils._edge_directory import (
    CERTIFICATES,
    CONFIG,
    WEBROOT,
    EdgeDirectory,
    Files,
    digest_in,
)
from ansible_collections.portside.stack.plugins.module_utils._edge_material import Material, Wanted
from ansible_collections.portside.stack.plugins.module_utils._edge_server import EdgeServer, HostNetwork
from ansible_collections.portside.stack.plugins.module_utils._edge_swap import EdgeFailed, swap
from ansible_collections.portside.stack.plugins.module_utils._edge_work import Diff, EdgeWork
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem

_TOKEN = "portside-check"


class Edge:
    """The nginx edge of a release, ``definition`` and ``file`` being its own; without one there is never anything to do."""

    def __init__(
        self,
        definition: t.Mapping[str, t.Any],
        file: str,
        directory: str,
        engine: EngineClient,
        run: Run,
        clock: Clock,
        network: HostNetwork,
        tell: t.Callable[[str], None],
        root: str = "",
    ) -> None:
        record = (definition.get("x-portside") or {}).get("edge") or {}
        self._record: t.Mapping[str, t.Any] = record if record.get("kind") == "nginx" else {}
        self.service: str = self._record.get("service", "")
        self._stack, self._stack_directory = definition["name"], directory
        self._engine, self._run, self._clock, self._network, self._tell = engine, run, clock, network, tell
        fs = FileSystem()
        self._directory = EdgeDirectory(directory, fs)
        self._webroot = os.path.join(self._directory.path, WEBROOT)
        # Whether a container that is kept was told anything.
        self.began = False
        self._certbot = Certbot(self._stack, run, fs, clock, root)
        release = os.path.dirname(file)
        self._material = Material(self._stack, self._record, release, directory, self._directory, self._certbot, run, fs)

    # -- what there is to do ---------------------------------------------------------------------------------------

    def look(
        self, containers: t.Iterable[Container], services: t.Container[str], acted: t.Container[str], check: bool, whole: bool = True
    ) -> t.Optional[EdgeWork]:
        """What there is to do when ``acted`` are acted on; unless that is the ``whole`` stack, a running edge is let be."""
        own = [one for one in containers if self.service and one.service == self.service and one.state in UP]
        running, kept = [one.id for one in own], self.service not in acted and bool(own)
        if not self.service or self.service not in services or (kept and not whole):
            return None
        wanted = self._material.wanted(self._clock.time(), check)
        reasons = [one.why for one in wanted.values() if one.why]
        reasons += ["{0} has another owner or mode".format(name) for name in self._directory.misowned(wanted) if name]
        lacks = self._certbot.renewal_lacks(self._tls, self._stack_directory) if self._is_acme else ""
        reasons += [lacks] if lacks else []
        work, server = EdgeWork(self.service, kept, wanted, reasons, self._config_diff(wanted[CONFIG])), self._server(running)
        work.running = running
        if kept and not self._sees(server):
            work.early, work.action = True, "restart"
            reasons.append("its container has a directory that was removed")
        elif kept and not reasons:
            reasons += self._unserved(work.files, server)
        if kept and not (self._directory.holds(work.files) and self._directory.served(work.files)):
            work.early = work.early or any(one.state != "running" or one.health not in (None, "healthy") for one in own)
        return work

    def serves(self, running: t.Sequence[str]) -> bool:
        """Whether these containers serve the release's configuration, at this moment."""
        return self._server(running).serves(self._record["config"])

    def _sees(self, server: EdgeServer) -> bool:
        return all(self._directory.is_seen_by(pid) for pid in server.pids())

    def _unserved(self, files: Files, server: EdgeServer) -> t.List[str]:
        if not (self._directory.holds(files) and self._directory.served(files)):
            return ["its files were not loaded yet"]
        return [] if server.serves(self._record["config"]) else ["it does not serve its configuration"]

    def _config_diff(self, config: Wanted) -> t.Optional[Diff]:
        before, path = self._directory.read(CONFIG) or b"", os.path.join(self._directory.path, CONFIG)
        if config.content is None or config.content == before:
            return None
        texts = (before.decode("utf-8", "replace"), config.content.decode("utf-8", "replace"))
        return {"before_header": path, "after_header": path, "before": texts[0], "after": texts[1]}

    # -- doing it --------------------------------------------------------------------------------------------------

    def prepare(self, work: t.Optional[EdgeWork], containers: t.Iterable[Container]) -> None:
        """Have certificates before anything of the stack is changed, so that a failure leaves all as it was."""
        if work is None or work.is_nothing:
            return
        self._directory.ensure(work.wanted)
        for name, one in work.wanted.items():
            if one.content is not None:
                continue
            if not self._is_acme:
                work.wanted[name] = one._replace(content=self._material.self_signed(one))
            elif self._answers_challenges(self._running(containers)):
                work.wanted[name] = one._replace(content=self._issued())
            else:
                work.challenge = True

    def begin(self, work: t.Optional[EdgeWork]) -> None:
        """Have the files there for a container that is to be made or started, or that gets nowhere with those it has."""
        if work is None or (work.kept and not work.early):
            return
        files = dict(work.files)
        if work.challenge:
            files[CONFIG] = self._material.challenge()
        self._directory.forget_served()
        for name in sorted(files, key=lambda one: one == CONFIG):
            self._directory.write(name, files[name])
        if work.kept:
            # It is judged when all is up, as ever.
            server, self.began = self._server(work.running), True
            if work.action != "reload" or not server.is_up():
                self._tell("{0}: restart ({1})".format(self.service, ", ".join(work.reasons)))
                server.restart()
            else:
                server.reload()

    def finish(self, work: t.Optional[EdgeWork], look: t.Callable[[], t.Iterable[Container]]) -> t.Optional[Failure]:
        """Have what is wanted serve, once all services are up; answers why it does not."""
        if work is None or work.is_nothing:
            return None
        try:
            self._serve(work, self._server(self._running(look())))
        except EdgeFailed as error:
            # It says what nginx had to say; the rest of the container's log are requests.
            return Failure(self.service, str(error))
        return None

    def _serve(self, work: EdgeWork, server: EdgeServer) -> None:
        if work.challenge:
            self._first_certificate(work, server)
        files = work.files
        if work.challenge or (work.kept and self._unserved(files, server)):
            self._swap(server, files, self._record["config"])
        elif not work.kept:
            wrong = server.await_config(self._record["config"])
            if wrong:
                raise EdgeFailed("was started, but does not serve its configuration: {0}".format(server.explained(wrong)))
        self._directory.note_served(files)
        self._directory.tidy(files)
        if self._is_acme:
            self._certbot.ensure_renewal(self._tls, self._stack_directory)

    def settle(self, containers: t.Iterable[Container]) -> None:
        """Once the release is active: have nothing renewed that it does not serve, and no keys left of an edge that it has not."""
        if self.service:
            self._certbot.renew_only(self._webroot, self._tls.get("certificate", ""))
        elif not any(self._directory.path in one.mounts for one in containers):
            self.let_go()

    def let_go(self) -> None:
        """Where no container is left that serves: remove the keys, and have nothing renewed."""
        self._certbot.renew_only(self._webroot)
        if self._directory.remove():
            self._tell("removed {0}, with its keys".format(self._directory.path))

    def _first_certificate(self, work: EdgeWork, server: EdgeServer) -> None:
        """Before the first certificate there is no traffic: only challenges are answered."""
        challenge, old = self._material.challenge(), self._directory.read(CONFIG)
        if work.kept:
            self._swap(server, {CONFIG: challenge}, digest_in(challenge), False)
        else:
            wrong = server.await_config(digest_in(challenge))
            if wrong:
                raise EdgeFailed("does not answer challenges for its certificate: {0}".format(server.explained(wrong)))
        name = "{0}/{1}".format(CERTIFICATES, self._tls["file"])
        try:
            work.wanted[name] = work.wanted[name]._replace(content=self._issued())
        except Interrupted:
            raise
        except StackError as error:
            if work.kept and old is not None:
                self._directory.write(CONFIG, old)
                server.reload()
            raise EdgeFailed("has no certificate: {0}".format(str(error).partition(": ")[2].rstrip("."))) from error

    def renewed(self, containers: t.Iterable[Container]) -> bool:
        """Serve the certificate that certbot has now, where it is good; answers whether it is another one."""
        now = self._clock.time()
        wanted = self._material.wanted(now, False)
        name = "{0}/{1}".format(CERTIFICATES, self._tls["file"])
        pem = self._certbot.found(self._tls)
        if not self._certbot.serves(self._tls, pem, now):
            raise StackError(
                "stack {0}: what certbot has is not what the current release is to serve: {1}. The edge goes on with the "
                "certificate of before. Remedy: deploy the stack again.".format(self._stack, self._certbot.why_not(self._tls, pem, now))
            )
        why = "" if self._directory.read(name) == pem else "its certificate changed"
        wanted[name] = wanted[name]._replace(content=pem, why=why)
        containers = list(containers)
        work = EdgeWork(self.service, True, wanted, [one.why for one in wanted.values() if one.why], None)
        running = self._running(containers)
        work.reasons += self._unserved(work.files, self._server(running)) if running and not work.reasons else []
        if not running:
            # It finds the certificate when it is started.
            self._directory.write(name, work.files[name])
            return bool(work.reasons)
        failure = self.finish(work, lambda: containers)
        if failure:
            raise StackError("stack {0}: service {1} {2}.".format(self._stack, self.service, failure.reason))
        return bool(work.reasons)

    def _swap(self, server: EdgeServer, files: Files, digest: str, lasting: bool = True) -> None:
        def tell(line: str) -> None:
            self.began = True
            self._tell("{0}: {1}".format(self.service, line))

        swap(self._directory, server, files, digest, self._tls, tell, lasting)

    # -- certificates ----------------------------------------------------------------------------------------------

    def _issued(self) -> bytes:
        """What certbot got, or where that failed what still counts of what it got earlier."""
        self._tell("{0}: asks {1} for a certificate".format(self.service, self._tls["directory_url"]))
        now = self._clock.time()
        try:
            self._certbot.issue(self._tls, self._webroot)
            pem = self._certbot.found(self._tls)
            wrong = self._certbot.why_not(self._tls, pem, now)
            if wrong or pem is None:
                raise StackError("stack {0}: certbot reports no error, but of its certificate: {1}.".format(self._stack, wrong))
        except Interrupted:
            raise
        except StackError as error:
            spare = self._certbot.spare(self._tls, now, self._directory.read("{0}/{1}".format(CERTIFICATES, self._tls["file"])))
            if spare is None:
                raise
            self._tell("{0}: goes on with the certificate of before, as there is no new one. {1}".format(self.service, error))
            return spare
        return pem

    def _answers_challenges(self, running: t.Sequence[str]) -> bool:
        """Whether what runs would answer the challenges of each name."""
        path = self._directory.put_challenge(_TOKEN, self._record["config"])
        try:
            return self._server(running).answers(self._tls["names"], path, self._record["config"])
        finally:
            self._directory.remove_challenge(_TOKEN)

    @property
    def _tls(self) -> t.Mapping[str, t.Any]:
        return self._record.get("tls") or {}

    @property
    def _is_acme(self) -> bool:
        return self._tls.get("kind") == "acme"

    def _running(self, containers: t.Iterable[Container]) -> t.List[str]:
        return [one.id for one in containers if self.service and one.service == self.service and one.state == "running"]

    def _server(self, running: t.Sequence[str]) -> EdgeServer:
        return EdgeServer(self._engine, self._run, self._clock, self._network, self._record["port"], running)
