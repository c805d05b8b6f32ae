# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the metrics of a host's stacks to a file that node_exporter reads: what no exporter of others' knows of them.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

They are those of the current releases. What was counted is lost with a boot, which is what counters may do.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Run
from ansible_collections.portside.stack.plugins.module_utils._compose_model import LABEL_PROJECT, Container, Service, container_of, is_of_stack, services_of
from ansible_collections.portside.stack.plugins.module_utils._compose_wait import state_of, worst
from ansible_collections.portside.stack.plugins.module_utils._edge_certificates import OpenSsl
from ansible_collections.portside.stack.plugins.module_utils._edge_directory import EdgeDirectory
from ansible_collections.portside.stack.plugins.module_utils._edge_places import CERTIFICATES
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, EngineError
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem, put, read_json, write_json
from ansible_collections.portside.stack.plugins.module_utils._heal_report import STATE as HEALED
from ansible_collections.portside.stack.plugins.module_utils._metrics_requests import Counted, count
from ansible_collections.portside.stack.plugins.module_utils._metrics_text import CertificateFacts, HostFacts, ServiceFacts, metrics_text
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore, released_stacks

# What mounts it has the metrics written.
DIRECTORY = "/var/lib/portside/metrics"
TEXT = DIRECTORY + "/portside.prom"
COUNTED = "/run/portside/metrics.json"
TIMER = "portside-metrics.timer"


class MetricsHost(t.NamedTuple):
    """What is asked. ``busy`` are the stacks that a run is at work on."""

    fs: FileSystem
    engine: EngineClient
    run: Run
    now: t.Callable[[], float]
    busy: t.Callable[[], t.Set[str]]
    tell: t.Callable[[str], None]
    root: str = ""


def reads_metrics(definition: t.Mapping[str, t.Any]) -> bool:
    """Whether a service of a rendered document mounts the directory."""
    bodies = (definition.get("services") or {}).values()
    mounts = [mount for body in bodies for mount in body.get("volumes") or ()]
    return DIRECTORY in [mount.get("source") if isinstance(mount, dict) else mount.partition(":")[0] for mount in mounts]


def write_metrics(host: MetricsHost, stack_root: str) -> None:
    """Look once, and write what is to be told. Once no current release reads it, the timer that called is taken away."""
    if any(reads_metrics(_definition(stack_root, stack)) for stack in released_stacks(stack_root)):
        put(host.fs, host.root + TEXT, metrics_text(_facts(host, stack_root)).encode("utf-8"))
        return
    code, out, err = host.run(["systemctl", "disable", "--now", TIMER], None)
    if code:
        raise StackError("systemctl disable {0} failed: {1}. No stack reads the metrics any more. Remedy: do it by hand.".format(TIMER, (err or out).strip()))
    host.tell("metrics: no stack reads them any more, so they are not written any more")


def _facts(host: MetricsHost, stack_root: str) -> HostFacts:
    stacks, busy, now = released_stacks(stack_root), host.busy(), host.now()
    services: t.List[ServiceFacts] = []
    certificates: t.List[CertificateFacts] = []
    logging: t.Dict[str, t.List[str]] = {}
    for stack in stacks:
        definition = _definition(stack_root, stack)
        containers = _containers(host.engine, stack, now)
        for service in services_of(definition).values():
            own = [one for one in containers if one.service == service.name]
            # An image that runs once may have been cleared away since.
            if own or not service.oneshot:
                services.append(_service(stack, service, own))
            if _is_nginx(service.image):
                logging["{0}/{1}".format(stack, service.name)] = [one.id for one in own]
        certificates += _certificates(host, stack, os.path.join(stack_root, stack))
    requests = _requests(host, logging, now)
    return HostFacts(services, certificates, {stack: stack in busy for stack in stacks}, read_json(host.fs, host.root + HEALED), requests)


def _definition(stack_root: str, stack: str) -> t.Dict[str, t.Any]:
    store = ReleaseStore(os.path.join(stack_root, stack))
    return store.read(store.current()).get("definition") or {}


def _containers(engine: EngineClient, stack: str, now: float) -> t.List[Container]:
    """Those of its services; a step's is none."""
    found = engine.inspect_all("{0}={1}".format(LABEL_PROJECT, stack))
    return [container_of(one, now) for one in found if is_of_stack(one)]


def _service(stack: str, service: Service, containers: t.List[Container]) -> ServiceFacts:
    if service.oneshot:
        up = all(one.state in ("running", "exited") and one.exit_code == 0 for one in containers)
    else:
        up = not service.scale or state_of(worst(service, containers)) in ("running", "healthy")
    return ServiceFacts(stack, service.name, up, sum(one.restarts for one in containers))


def _is_nginx(image: str) -> bool:
    return image.rpartition("/")[2].partition("@")[0].partition(":")[0] == "nginx"


def _certificates(host: MetricsHost, stack: str, directory: str) -> t.Iterator[CertificateFacts]:
    edge, openssl = EdgeDirectory(directory, host.fs), OpenSsl(host.run)
    home = os.path.join(edge.path, CERTIFICATES)
    for name in host.fs.listdir(home) if host.fs.lstat(home) else ():
        if not name.endswith(".pem"):
            continue
        try:
            leaf = openssl.look(edge.read(os.path.join(CERTIFICATES, name)) or b"")
        except StackError as error:
            host.tell("metrics: stack {0}: certificate {1} cannot be read: {2}".format(stack, name, error))
        else:
            yield CertificateFacts(stack, tuple(sorted(leaf.names)), leaf.until)


def _requests(host: MetricsHost, logging: t.Mapping[str, t.Sequence[str]], now: float) -> t.Dict[str, Counted]:
    """What was counted before, and since. Nothing is counted the first time, as nobody knows since when."""
    before = read_json(host.fs, host.root + COUNTED)
    since = before.get("until")
    known = {name: Counted(**one) for name, one in (before.get("counted") or {}).items()}
    counted = {}
    for name, containers in logging.items():
        counted[name] = known.get(name, Counted())
        for container in containers if since else ():
            try:
                counted[name] = count(host.engine.logs_between(container, since, now), counted[name])
            except EngineError as error:
                host.tell("metrics: {0}: what it logged is not counted this time: {1}".format(name, error))
    os.makedirs(os.path.dirname(host.root + COUNTED), mode=0o755, exist_ok=True)
    write_json(host.fs, host.root + COUNTED, {"until": now, "counted": {name: one._asdict() for name, one in counted.items()}})
    return counted
