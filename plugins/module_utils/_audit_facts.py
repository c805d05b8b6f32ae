# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that an audit asks a host beside who is reachable: its containers, and the routes of its nginx and cloudflared.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import posixpath
import typing as t

from ansible_collections.portside.stack.plugins.module_utils import _audit_cloudflared as cloudflared
from ansible_collections.portside.stack.plugins.module_utils._audit_containers import container, inspections, name_of
from ansible_collections.portside.stack.plugins.module_utils._audit_files import ContainerFiles, Files, HostFiles
from ansible_collections.portside.stack.plugins.module_utils._audit_nginx import entry_of, read_nginx
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, EngineError, EngineUnavailable
from ansible_collections.portside.stack.plugins.module_utils._exposure_owners import Processes

Found = t.Dict[str, t.Any]

_NGINX = "/etc/nginx/nginx.conf"
_NGINX_PROGRAMS = ("nginx", "openresty")


class World(t.NamedTuple):
    """What facts are read through."""

    engine: EngineClient
    fs: t.Any
    root: bool


def read_audit(world: World) -> Found:
    """Everything, as it is now; ``unseen`` are sentences on what is not among it."""
    unseen: t.List[str] = []
    if not world.root:
        unseen.append("The audit did not run as root: configuration and containers that only root may read were not seen. Remedy: become: true.")
    processes = Processes(world.fs)
    inspected = _inspections(world, unseen)
    homes = _Homes(world, processes, inspected)
    nginx, tunnels = _nginx(world, homes, unseen), _cloudflared(world, homes)
    for one in nginx:
        unseen += ["nginx of {0}: {1}.".format(_where(one), problem) for problem in one.pop("problems")]
    for one in tunnels:
        problem = one.pop("problem")
        unseen += ["cloudflared of {0}: {1}.".format(_where(one), problem)] if problem else []
    return {
        "containers": [container(one, world.fs.realpath) for one in inspected],
        "nginx": nginx,
        "cloudflared": tunnels,
        "unseen": unseen,
    }


def _where(one: Found) -> str:
    return "container {0}".format(one["container"]) if one["container"] else "the host"


def _inspections(world: World, unseen: t.List[str]) -> t.List[Found]:
    try:
        return inspections(world.engine)
    except EngineUnavailable as error:
        unseen.append("Containers were not seen: {0}".format(error))
    except EngineError as error:
        unseen.append("Containers were not seen: {0}.".format(error))
    return []


class _Homes:
    """The processes of the host, and whose files each of them sees."""

    def __init__(self, world: World, processes: Processes, inspected: t.Sequence[Found]) -> None:
        self._fs, self.processes, self.inspected = world.fs, processes, inspected
        self.names = {one["Id"]: name_of(one) for one in inspected}
        self._inits = {one["Id"]: (one.get("State") or {}).get("Pid") or 0 for one in inspected}

    def called(self, names: t.Collection[str]) -> t.List[t.Tuple[str, t.Optional[str]]]:
        """Those of some names: the number, and the container's id, nothing for the host itself, none where neither is known."""
        pids = [entry for entry in self._fs.listdir("/proc") if entry.isdigit()]
        return [(pid, self._home(pid)) for pid in pids if self.processes.read(pid, "comm").strip() in names]

    def _home(self, pid: str) -> t.Optional[str]:
        # An engine within a container, or another program's containers: their files are neither the host's nor our containers'.
        known = next((one for one in self.processes.container_ids(int(pid)) if one in self.names), "")
        same = self._namespace(pid) == self._namespace(self._inits[known] if known else "self")
        return known if same else None

    def _namespace(self, pid: t.Any) -> str:
        try:
            return self._fs.readlink("/proc/{0}/ns/pid".format(pid))
        except OSError:
            return str(pid)


def _nginx(world: World, homes: _Homes, unseen: t.List[str]) -> t.List[Found]:
    """The configurations that nginx runs with, on the host and in containers, and the host's usual one where none runs."""
    names = homes.names
    places: t.Dict[t.Tuple[str, str], bool] = {}
    elsewhere = 0
    for pid, identifier in homes.called(_NGINX_PROGRAMS):
        path = entry_of(homes.processes.read(pid, "cmdline").replace("\0", " ").strip())
        if path is not None and identifier is not None:
            places[(identifier, path or _NGINX)] = True
        elif path is not None:
            elsewhere += 1
    if elsewhere:
        unseen.append("The configuration of {0} nginx was not read: it is in a container that this engine does not know.".format(elsewhere))
    if not any(identifier == "" for identifier, _path in places) and world.fs.stat(_NGINX) is not None:
        places[("", _NGINX)] = False
    found = []
    for (identifier, path), running in sorted(places.items(), key=lambda place: (names.get(place[0][0], ""), place[0][1])):
        files: Files = ContainerFiles(world.engine, identifier) if identifier else HostFiles(world.fs)
        found.append(dict(read_nginx(files, path), container=names.get(identifier, ""), running=running))
    return found


def _cloudflared(world: World, homes: _Homes) -> t.List[Found]:
    """cloudflared's rules, by file, and tunnels whose rules are not on the host."""
    running: t.List[cloudflared.Told] = []
    for pid, identifier in homes.called(("cloudflared",)):
        if identifier == "":
            token = "TUNNEL_TOKEN=" in homes.processes.read(pid, "environ")
            told = cloudflared.told(homes.processes.read(pid, "cmdline").split("\0"))
            running.append(told._replace(token=told.token or token))
    paths = [one.config for one in running if one.config.startswith("/")]
    paths += _usual_paths([*cloudflared.SYSTEM_DIRECTORIES, *_homes(world.fs)])
    found = [dict(one, container="", running=bool(running)) for one in cloudflared.read_configs(HostFiles(world.fs), paths)]
    if running:
        whole = running[0]._replace(token=any(one.token for one in running), url=any(one.url for one in running))
        found += _elsewhere("", whole, True, found)
    for one in homes.inspected:
        words = [one.get("Path") or "", *(one.get("Args") or ())]
        image = (one["Config"].get("Image") or "").partition("@")[0].rpartition("/")[2].partition(":")[0]
        if image == "cloudflared" or any(posixpath.basename(word) == "cloudflared" for word in words[:3]):
            found += _of_container(world, one, cloudflared.told(words))
    return found


def _of_container(world: World, data: Found, told: cloudflared.Told) -> t.List[Found]:
    variables = {str(text).partition("=")[0] for text in data["Config"].get("Env") or ()}
    told = told._replace(token=told.token or bool(variables.intersection(("TUNNEL_TOKEN", "TUNNEL_TOKEN_FILE"))))
    paths = [told.config] if told.config.startswith("/") else []
    if not paths and not told.token:
        paths = _usual_paths([*cloudflared.SYSTEM_DIRECTORIES, "/home/nonroot/.cloudflared", "/root/.cloudflared"])
    running = bool((data.get("State") or {}).get("Running"))
    name = name_of(data)
    found = [dict(one, container=name, running=running) for one in cloudflared.read_configs(ContainerFiles(world.engine, data["Id"]), paths)]
    return found + _elsewhere(name, told, running, found)


def _elsewhere(name: str, told: cloudflared.Told, running: bool, found: t.Sequence[Found]) -> t.List[Found]:
    """The entry of a tunnel whose rules are not, or not all, among those that were found."""
    kind = "token" if told.token else "url" if told.url else "" if any(one["ingress"] or one["problem"] for one in found) else "unknown"
    return [{"path": "", "ingress": "", "problem": "", "container": name, "running": running, "elsewhere": kind}] if kind else []


def _usual_paths(directories: t.Iterable[str]) -> t.List[str]:
    return [posixpath.join(directory, name) for directory in directories for name in cloudflared.NAMES]


def _homes(fs: t.Any) -> t.List[str]:
    homes = ["/root"]
    if fs.stat("/home") is not None:
        homes += [posixpath.join("/home", name) for name in fs.listdir("/home")]
    return [posixpath.join(home, name) for home in homes for name in cloudflared.DIRECTORIES]
